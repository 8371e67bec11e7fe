"""adnorm: how far a drug brings atopic-dermatitis skin back to normal gene expression.

The sub-packages are the stages of the workflow, in the order in which data flow through them:
``fetch``, ``expression``, ``scores``, ``effects``, ``index``, ``figures``, and ``atlas`` over all
cohorts. ``base`` is the ground under all of them, ``study`` what a cohort is and what it may ask;
``onboarding`` and ``cli`` serve people at a terminal. Nothing here knows of Snakemake.
"""

__version__ = "0.2.0.dev0"
