# Golden values for ssGSEA (enrichment score, not normalized) and GSVA (Gaussian kernel, maximal
# difference). Run in this folder: Rscript gsva.R  (GSVA 1.46). Writes gsva_expression.tsv,
# gsva_sets.gmt, ssgsea_scores.tsv, gsva_scores.tsv.
suppressMessages(library(GSVA))
set.seed(20240615)

genes <- 300
samples <- 12
x <- rnorm(genes, 7, 2) + matrix(rnorm(genes * samples, 0, 0.8), genes)
# Sets one to three rise in the second half of the samples, set four falls.
x[1:40, 7:12] <- x[1:40, 7:12] + 1.5
x[41:60, 7:12] <- x[41:60, 7:12] - 1.5
x <- round(x, 7)
dimnames(x) <- list(sprintf("GENE%03d", 1:genes), sprintf("S%02d", 1:samples))
stopifnot(!any(apply(x, 2, duplicated)))

members <- list(SMALL = c(1, 2), UP = 1:20, UP_WIDE = c(21:40, 100:140), DOWN = 41:60,
                RANDOM_SMALL = sample(61:300, 6), RANDOM = sample(61:300, 30),
                RANDOM_LARGE = sample(genes, 120), MIXED = c(1:10, 41:50))
sets <- lapply(members, function(i) rownames(x)[i])

run <- function(method) {
  gsva(x, sets, method = method, kcdf = "Gaussian", mx.diff = TRUE, ssgsea.norm = FALSE,
       tau = if (method == "ssgsea") 0.25 else 1, min.sz = 1, max.sz = Inf, verbose = FALSE)
}
save <- function(m, first, path) {
  body <- as.data.frame(apply(m, 2, formatC, digits = 15, format = "g"))
  write.table(cbind(setNames(data.frame(rownames(m)), first), body), path,
              sep = "\t", quote = FALSE, row.names = FALSE)
}
write.table(data.frame(gene = rownames(x), x), "gsva_expression.tsv",
            sep = "\t", quote = FALSE, row.names = FALSE)
writeLines(paste(names(sets), "golden", vapply(sets, paste, "", collapse = "\t"), sep = "\t"),
           "gsva_sets.gmt")
save(run("ssgsea"), "set", "ssgsea_scores.tsv")
save(run("gsva"), "set", "gsva_scores.tsv")
