# Golden values for batches in a paired design: limma with batch as a covariate and as a random block.
# Run in this folder: Rscript batches.R  (limma 3.54.1, statmod). Reads limma_samples.tsv and limma_expression.tsv, which limma.R
# writes; gives every sample one of three batches and every gene a shift in each, sin(gene × batch). Writes batches_samples.tsv
# and batches_effects.tsv. The design is written out by hand here, not by the code under test.
suppressMessages(library(limma))
samples <- read.delim("limma_samples.tsv")
y <- as.matrix(read.delim("limma_expression.tsv", row.names = 1))[, samples$sample]
# Neither by patient nor by visit: a patient's samples fall into two or three batches.
batch <- (seq_len(nrow(samples)) * 7) %% 5 %% 3 + 1
y <- y + sin(outer(seq_len(nrow(y)), batch))
cell <- paste(samples$arm, samples$state, samples$week)

use <- ave(seq_along(samples$patient), samples$patient, FUN = length) > 1
block <- model.matrix(~ 0 + patient, samples[use, ])
cells <- sapply(c("drug lesional 4", "drug nonlesional 0", "placebo lesional 4", "placebo nonlesional 0"),
                function(name) as.numeric(cell[use] == name))
without <- cbind(block, cells)
with <- cbind(without, b2 = batch[use] == 2, b3 = batch[use] == 3)
stopifnot(qr(with)$rank == ncol(with))
at <- function(design, ...) { w <- c(...); x <- setNames(rep(0, ncol(design)), colnames(design)); x[names(w)] <- w; x }
contrasts_of <- function(design) cbind(
  "lesional-nonlesional@0" = at(design, "drug nonlesional 0" = -6 / 10, "placebo nonlesional 0" = -4 / 10),
  "change:drug@4" = at(design, "drug lesional 4" = 1),
  "residual:drug@4" = at(design, "drug lesional 4" = 1, "drug nonlesional 0" = -1),
  "change:drug-placebo@4" = at(design, "drug lesional 4" = 1, "placebo lesional 4" = -1))

found <- function(rule, fit, correlation) {
  fit <- eBayes(fit)
  do.call(rbind, lapply(colnames(fit), function(name) data.frame(
    rule = rule, contrast = name, gene = rownames(y), log2_fold_change = fit$coefficients[, name],
    standard_error = fit$stdev.unscaled[, name] * sqrt(fit$s2.post), t = fit$t[, name],
    p_value = fit$p.value[, name], correlation = correlation)))
}
covariate <- contrasts.fit(lmFit(y[, use], with), contrasts_of(with))
# contrasts.fit is exact: no weights, so all genes share one correlation of coefficients.
consensus <- duplicateCorrelation(y[, use], without, block = batch[use])$consensus.correlation
random <- contrasts.fit(lmFit(y[, use], without, block = batch[use], correlation = consensus), contrasts_of(without))

save <- function(x, path) {
  numbers <- sapply(x, is.double)
  x[numbers] <- lapply(x[numbers], function(v) formatC(v, digits = 15, format = "g", width = 1))
  write.table(x, path, sep = "\t", quote = FALSE, row.names = FALSE)
}
save(data.frame(sample = samples$sample, batch = batch), "batches_samples.tsv")
save(rbind(found("covariate", covariate, 0), found("block", random, consensus)), "batches_effects.tsv")
