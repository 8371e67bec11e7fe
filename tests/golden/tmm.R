# Golden values for normalization factors: TMM (edgeR calcNormFactors) and median of ratios (DESeq2
# estimateSizeFactorsForMatrix). Run in this folder: Rscript tmm.R
# (edgeR 3.40, DESeq2 1.38). Writes tmm_counts.tsv, tmm_factors.tsv.
suppressMessages({library(edgeR); library(DESeq2)})
set.seed(20240611)

genes <- 300
samples <- 8
mean_count <- exp(rnorm(genes, 4, 1.8))
depth <- exp(rnorm(samples, 0, 0.6))
fold <- matrix(1, genes, samples)
# Sixty genes up in half of the samples: the composition that TMM corrects for.
fold[1:60, 5:8] <- 8
counts <- matrix(rnbinom(genes * samples, mu = mean_count * fold, size = 8), genes)
counts <- round(sweep(counts, 2, depth, "*"))
counts[291:300, ] <- 0
counts[281:290, 1:6] <- 0
dimnames(counts) <- list(sprintf("GENE%03d", 1:genes), sprintf("S%d", 1:samples))

factors <- data.frame(
  sample = colnames(counts),
  library_size = colSums(counts),
  tmm = calcNormFactors(counts, method = "TMM"),
  size_factor = estimateSizeFactorsForMatrix(counts))
numbers <- c("tmm", "size_factor")
factors[numbers] <- lapply(factors[numbers], function(v) formatC(v, digits = 15, format = "g"))
write.table(data.frame(gene = rownames(counts), counts), "tmm_counts.tsv",
            sep = "\t", quote = FALSE, row.names = FALSE)
write.table(factors, "tmm_factors.tsv", sep = "\t", quote = FALSE, row.names = FALSE)
