"""adnorm: how far a drug brings atopic-dermatitis skin back to normal gene expression.

The sub-packages are the stages of the workflow, in the order in which data flow through them:
``study`` (what a cohort is), ``fetch``, ``expression``, ``scores``, ``effects``, ``figures``.
``base`` is the ground under all of them. Nothing here knows of Snakemake.
"""

__version__ = "0.2.0.dev0"
