# Golden values for the random-effects meta-analysis: metafor 3.8-1.
# Run in this folder: Rscript meta.R. Writes meta_studies.tsv (what goes in) and meta_combined.tsv.
suppressMessages(library(metafor))
set.seed(20240611)

genes <- 40
studies <- 5
effect <- rep(c(0, 0.3, 1.5, -2), each = genes / 4)
between <- rep(c(0, 0.05, 0.3, 1), times = genes / 4)
error <- matrix(runif(genes * studies, 0.05, 0.5), genes)
y <- effect + matrix(rnorm(genes * studies), genes) * sqrt(error^2 + between)
# Not every study measures every gene: two to five of them.
for (i in seq_len(genes)) y[i, sample(studies, (i - 1) %% 4)] <- NA
# One gene on which two studies agree exactly.
y[4, ] <- c(1.25, 1.25, NA, NA, NA)
y <- round(y, 6)
error <- round(error, 6)

rows <- do.call(rbind, lapply(seq_len(genes), function(i) {
  have <- !is.na(y[i, ])
  normal <- rma(y[i, have], sei = error[i, have], method = "DL", test = "z")
  knapp <- rma(y[i, have], sei = error[i, have], method = "DL", test = "knha")
  data.frame(gene = sprintf("GENE%02d", i), effect = normal$b[1], standard_error = normal$se,
             p_value = normal$pval, lower = knapp$ci.lb, upper = knapp$ci.ub,
             hartung_knapp_p_value = knapp$pval, tau2 = normal$tau2, i2 = normal$I2 / 100,
             studies = normal$k)
}))

long <- data.frame(gene = sprintf("GENE%02d", row(y)), study = paste0("study", col(y)),
                   effect = c(y), standard_error = c(error))
long <- long[!is.na(long$effect), ]
save <- function(x, path) {
  numbers <- sapply(x, is.double)
  x[numbers] <- lapply(x[numbers], function(v) formatC(v, digits = 15, format = "g", width = 1))
  write.table(x, path, sep = "\t", quote = FALSE, row.names = FALSE)
}
save(long, "meta_studies.tsv")
save(rows, "meta_combined.tsv")
