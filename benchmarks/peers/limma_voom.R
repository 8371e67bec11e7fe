# R's limma-voom, bare:  Rscript limma_voom.R INPUTS SAVE
# Paired design (patients + lesional), plain library sizes, and the smoothing span that newer limma
# and pylimma choose by the number of genes, so that both sides fit the same model.
arguments <- commandArgs(TRUE)
inputs <- arguments[1]
suppressPackageStartupMessages(library(limma))

part <- function(kind) file.path(inputs, "bin", paste0("de60.", kind))
genes <- readLines(part("rows"))
samples <- readLines(part("cols"))
counts <- matrix(readBin(part("f64"), "double", length(genes) * length(samples)),
                 length(genes), dimnames = list(genes, samples))
sheet <- read.delim(file.path(inputs, "GSE900002_design.tsv"), row.names = 1)[samples, ]
sheet$patient <- droplevels(factor(sheet$patient))
sheet$tissue <- factor(sheet$tissue, c("NL", "LS"))

start <- proc.time()
design <- model.matrix(~ patient + tissue, sheet)
span <- min(0.3 + 0.7 * (50 / nrow(counts))^(1 / 3), 1)
fit <- eBayes(lmFit(voom(counts, design, lib.size = colSums(counts), span = span), design))
spent <- proc.time() - start

result <- data.frame(row = genes, log2_fold_change = fit$coefficients[, "tissueLS"],
                     t = fit$t[, "tissueLS"], p_value = fit$p.value[, "tissueLS"])
result[-1] <- lapply(result[-1], formatC, digits = 17, format = "g")
write.table(result, arguments[2], sep = "\t", quote = FALSE, row.names = FALSE)
inside <- Sys.getenv("BENCH_INSIDE")
if (nzchar(inside)) {
  cat(sprintf('{"seconds": %.4f, "cpu": %.4f}', spent[["elapsed"]],
              spent[["user.self"]] + spent[["sys.self"]]), file = inside)
}
