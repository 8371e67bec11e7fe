# Golden values for TMM on sparse counts (edgeR calcNormFactors). Run in this folder: Rscript tmm_sparse.R
# (edgeR 3.40). Writes tmm_sparse_counts.tsv and tmm_sparse_factors.tsv: one upper quartile of 0 ("some"),
# and most of them 0, where edgeR chooses its reference in another way ("most").
suppressMessages(library(edgeR))
set.seed(20261126)

genes <- 250
depth <- list(some = c(0.02, 0.6, 1, 1.5, 0.8, 2.5, 0.4, 3), most = c(0.02, 0.05, 1, 0.03, 0.04, 0.01, 0.06, 0.02))
counts <- NULL
factors <- NULL
for (kind in names(depth)) {
  share <- exp(rnorm(genes, 0, 2))
  fold <- matrix(1, genes, 8)
  fold[1:30, 5:8] <- 6
  mu <- t(t(share * fold / sum(share)) * depth[[kind]] * 3000)
  x <- matrix(rnbinom(length(mu), mu = mu, size = 2), genes)
  x[249:250, ] <- 0
  colnames(x) <- paste0(kind, 1:8)
  counts <- cbind(counts, x)
  upper <- apply(x[rowSums(x) > 0, ], 2, quantile, 0.75)
  factors <- rbind(factors, data.frame(sample = colnames(x), upper_quartile = upper,
    tmm = formatC(calcNormFactors(x, method = "TMM"), digits = 15, format = "g")))
}
rownames(counts) <- sprintf("GENE%03d", 1:genes)
write.table(data.frame(gene = rownames(counts), counts), "tmm_sparse_counts.tsv",
            sep = "\t", quote = FALSE, row.names = FALSE)
write.table(factors, "tmm_sparse_factors.tsv", sep = "\t", quote = FALSE, row.names = FALSE)
