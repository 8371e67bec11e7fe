# Golden values for paired effects: limma on a small simulated trial with dropouts.
# Run in this folder: Rscript limma.R  (limma 3.54.1). Writes limma_samples.tsv, limma_expression.tsv,
# limma_effects.tsv, camera.tsv. The design is written out by hand here, not by the code under test.
suppressMessages(library(limma))
set.seed(20240601)

visits <- list(drug = c("lesional@0", "nonlesional@0", "lesional@4"), placebo = c("lesional@0", "nonlesional@0", "lesional@4"))
samples <- do.call(rbind, lapply(names(visits), function(arm) {
  patients <- sprintf("%s%02d", substr(arm, 1, 1), 1:6)
  grid <- expand.grid(visit = visits[[arm]], patient = patients, stringsAsFactors = FALSE)
  data.frame(patient = grid$patient, arm = arm, state = sub("@.*", "", grid$visit),
             week = as.numeric(sub(".*@", "", grid$visit)))
}))
# Dropouts: one without week 4, one without non-lesional skin, one with a single sample.
gone <- with(samples, (patient == "d02" & week == 4) | (patient == "p03" & state == "nonlesional") |
               (patient == "p06" & !(state == "lesional" & week == 0)))
samples <- samples[!gone, ]
samples <- data.frame(sample = sprintf("s%02d", seq_len(nrow(samples))), samples)

genes <- 150
cell <- paste(samples$arm, samples$state, samples$week)
baseline <- rnorm(genes, 7, 2)
disease <- c(rep(1.5, 25), rep(-1.2, 20), rep(0, genes - 45))
patient <- matrix(rnorm(genes * 12, 0, 0.8), genes)[, as.integer(factor(samples$patient))]
level <- ifelse(samples$state == "nonlesional", 0, ifelse(samples$week == 4 & samples$arm == "drug", 0.4, 1))
# Genes 1 to 20 share noise, so that camera has a correlation to find.
shared <- outer(c(rep(0.6, 20), rep(0, genes - 20)), rnorm(nrow(samples)))
noise <- matrix(rnorm(genes * nrow(samples)), genes) * sqrt(1 / rchisq(genes, 6) * 2)
y <- round(baseline + patient + outer(disease, level) + shared + noise, 4)
dimnames(y) <- list(sprintf("GENE%03d", 1:genes), samples$sample)

use <- ave(seq_along(samples$patient), samples$patient, FUN = length) > 1
block <- model.matrix(~ 0 + patient, samples[use, ])
cells <- sapply(c("drug lesional 4", "drug nonlesional 0", "placebo lesional 4", "placebo nonlesional 0"),
                function(name) as.numeric(cell[use] == name))
design <- cbind(block, cells)
stopifnot(qr(design)$rank == ncol(design))
at <- function(...) { w <- c(...); x <- setNames(rep(0, ncol(design)), colnames(design)); x[names(w)] <- w; x }
# Pairs at baseline: 6 drug, 4 placebo (p03 has no non-lesional sample, p06 only one sample).
contrasts <- cbind(
  "lesional-nonlesional@0" = at("drug nonlesional 0" = -6 / 10, "placebo nonlesional 0" = -4 / 10),
  "change:drug@4" = at("drug lesional 4" = 1),
  "residual:drug@4" = at("drug lesional 4" = 1, "drug nonlesional 0" = -1),
  "change:drug-placebo@4" = at("drug lesional 4" = 1, "placebo lesional 4" = -1))

fit <- contrasts.fit(lmFit(y[, use], design), contrasts)
plain <- eBayes(fit)
effects <- do.call(rbind, lapply(colnames(contrasts), function(name) data.frame(
  contrast = name, gene = rownames(y), log2_fold_change = plain$coefficients[, name],
  standard_error = plain$stdev.unscaled[, name] * sqrt(plain$s2.post), t = plain$t[, name],
  p_value = plain$p.value[, name])))

sets <- list(shared = 1:20, up = 10:30, down = 26:45, none = 60:90)
cameras <- do.call(rbind, lapply(colnames(contrasts), function(name) {
  found <- camera(y[, use], sets, design, contrasts[, name], inter.gene.cor = NA, sort = FALSE)
  fixed <- camera(y[, use], sets, design, contrasts[, name], inter.gene.cor = 0.01, sort = FALSE)
  data.frame(contrast = name, set = rownames(found), first = sapply(sets, min), last = sapply(sets, max),
             direction = tolower(found$Direction), p_value = found$PValue,
             correlation = found$Correlation, fixed_p_value = fixed$PValue)
}))

save <- function(x, path) {
  numbers <- sapply(x, is.double)
  x[numbers] <- lapply(x[numbers], function(v) formatC(v, digits = 15, format = "g", width = 1))
  write.table(x, path, sep = "\t", quote = FALSE, row.names = FALSE)
}
save(samples, "limma_samples.tsv")
save(data.frame(gene = rownames(y), y), "limma_expression.tsv")
save(effects, "limma_effects.tsv")
save(cameras, "camera.tsv")
