# Golden values for counts: voom, then for every contrast a refit with the contrast as a coefficient
# of the design (exact; contrasts.fit only approximates standard errors under weights).
# Run in this folder after limma.R: Rscript voom.R  (limma 3.54.1). Writes voom_counts.tsv,
# voom_weights.tsv, voom_effects.tsv; the samples are those of limma_samples.tsv.
suppressMessages(library(limma))
set.seed(20240602)

samples <- read.delim("limma_samples.tsv")
n <- nrow(samples)
genes <- 200
mean_count <- exp(rnorm(genes, 4.5, 1.5))
depth <- exp(rnorm(n, 0, 0.4))
disease <- c(rep(1.5, 30), rep(-1.2, 25), rep(0, genes - 55))
patient <- matrix(rnorm(genes * 12, 0, 0.5), genes)[, as.integer(factor(samples$patient))]
level <- ifelse(samples$state == "nonlesional", 0, ifelse(samples$week == 4 & samples$arm == "drug", 0.4, 1))
mu <- mean_count * exp(log(2) * (patient + outer(disease, level)))
mu <- sweep(mu, 2, depth, "*")
counts <- matrix(rnbinom(genes * n, mu = mu, size = 6), genes,
                 dimnames = list(sprintf("GENE%03d", 1:genes), samples$sample))

use <- ave(seq_along(samples$patient), samples$patient, FUN = length) > 1
cell <- paste(samples$arm, samples$state, samples$week)
block <- model.matrix(~ 0 + patient, samples[use, ])
cells <- sapply(c("drug lesional 4", "drug nonlesional 0", "placebo lesional 4", "placebo nonlesional 0"),
                function(name) as.numeric(cell[use] == name))
design <- cbind(block, cells)
at <- function(...) { w <- c(...); x <- setNames(rep(0, ncol(design)), colnames(design)); x[names(w)] <- w; x }
contrasts <- cbind(
  "lesional-nonlesional@0" = at("drug nonlesional 0" = -6 / 10, "placebo nonlesional 0" = -4 / 10),
  "change:drug@4" = at("drug lesional 4" = 1),
  "residual:drug@4" = at("drug lesional 4" = 1, "drug nonlesional 0" = -1),
  "change:drug-placebo@4" = at("drug lesional 4" = 1, "placebo lesional 4" = -1))

v <- voom(counts[, use], design, lib.size = colSums(counts[, use]), span = 0.5)
effects <- do.call(rbind, lapply(colnames(contrasts), function(name) {
  refit <- lmFit(v, contrastAsCoef(design, contrasts[, name])$design)
  fit <- eBayes(refit)
  data.frame(contrast = name, gene = rownames(counts), log2_fold_change = fit$coefficients[, 1],
             standard_error = fit$stdev.unscaled[, 1] * sqrt(fit$s2.post), t = fit$t[, 1],
             p_value = fit$p.value[, 1], sigma = fit$sigma)
}))

save <- function(x, path) {
  numbers <- sapply(x, is.double)
  x[numbers] <- lapply(x[numbers], function(v) formatC(v, digits = 15, format = "g", width = 1))
  write.table(x, path, sep = "\t", quote = FALSE, row.names = FALSE)
}
save(data.frame(gene = rownames(counts), counts), "voom_counts.tsv")
save(data.frame(gene = rownames(counts), v$weights)[1:25, ], "voom_weights.tsv")
save(effects, "voom_effects.tsv")
