# One array series from published files to heatmaps, as an R user would; results lie in the working directory:
#   Rscript array_cohort.R INPUTS - GENE_SETS.tsv
# GEOquery reads the series, limma fits one paired model with a contrast for each arm and visit, GSVA gives
# ssGSEA and GSVA scores, camera and fgsea (where it is installed) test the sets, ComplexHeatmap draws. What
# adnorm does besides is not in here: quality, swaps, the index with its intervals, patients, the pages.
arguments <- commandArgs(TRUE)
inputs <- arguments[1]
suppressPackageStartupMessages({
  library(GEOquery); library(limma); library(GSVA); library(ComplexHeatmap)
})

series <- getGEO(filename = file.path(inputs, "GSE900001_series_matrix.txt.gz"), getGPL = FALSE)
sheet <- pData(series)
annotation <- read.delim(file.path(inputs, "GPL900570.annot.tsv.gz"), comment.char = "#", quote = "")
symbol <- annotation$Gene.Symbol[match(rownames(series), annotation$ID)]
known <- !is.na(symbol) & symbol != "" & !grepl("///", symbol, fixed = TRUE)
values <- exprs(series)[known, ]
symbol <- symbol[known]
# Of the probes of a gene, the one with the highest mean.
first <- order(rowMeans(values), decreasing = TRUE)
first <- first[!duplicated(symbol[first])]
values <- values[first, ]
rownames(values) <- symbol[first]

group <- factor(make.names(paste(sheet[["tissue:ch1"]], sheet[["week:ch1"]],
                                 ifelse(sheet[["tissue:ch1"]] == "LS", sheet[["treatment:ch1"]], ""))))
patient <- factor(sheet[["patient:ch1"]])
design <- model.matrix(~ 0 + group + patient)
colnames(design) <- make.names(sub("^(group|patient)", "", colnames(design)))
decomposed <- qr(design)
design <- design[, decomposed$pivot[seq_len(decomposed$rank)]]
lesional <- grep("^LS", levels(group), value = TRUE)
before <- sub("^LS\\.[0-9]+\\.", "LS.0.", lesional)
asked <- lesional != before & lesional %in% colnames(design) & before %in% colnames(design)
contrasts <- makeContrasts(contrasts = paste(lesional, before, sep = "-")[asked], levels = design)
fit <- eBayes(contrasts.fit(lmFit(values, design), contrasts))
for (name in colnames(contrasts)) {
  write.table(topTable(fit, coef = name, number = Inf), paste0("effects_", name, ".tsv"), sep = "\t")
}

table <- read.delim(arguments[3])
sets <- lapply(split(table$symbol, table$set), intersect, rownames(values))
sets <- sets[lengths(sets) >= 5]
score <- function(method) {
  if (!exists("ssgseaParam")) return(gsva(values, sets, method = method, verbose = FALSE))
  make <- if (method == "gsva") gsvaParam else ssgseaParam
  gsva(make(values, sets), verbose = FALSE)
}
scores <- list(ssgsea = score("ssgsea"), gsva = score("gsva"))
rows <- ids2indices(sets, rownames(values))
for (name in colnames(contrasts)) {
  tested <- camera(values, rows, design, contrast = contrasts[, name])
  write.table(tested, paste0("camera_", name, ".tsv"), sep = "\t")
  if (requireNamespace("fgsea", quietly = TRUE)) {
    found <- fgsea::fgsea(sets, sort(fit$t[, name], decreasing = TRUE), eps = 1e-6, nproc = 1)
    found$leadingEdge <- sapply(found$leadingEdge, paste, collapse = ";")
    write.table(found, paste0("fgsea_", name, ".tsv"), sep = "\t", row.names = FALSE)
  }
}

columns <- HeatmapAnnotation(tissue = sheet[["tissue:ch1"]], week = sheet[["week:ch1"]],
                             arm = sheet[["treatment:ch1"]])
heatmap <- function(file, rows) {
  pdf(file, 12, 9)
  draw(Heatmap(t(scale(t(rows))), top_annotation = columns, show_column_names = FALSE))
  dev.off()
}
for (name in c("itch_core_skin_up", "barrier_terminal_differentiation_down", "barrier_hyperproliferation_up")) {
  if (length(sets[[name]]) > 1) heatmap(paste0("genes_", name, ".pdf"), values[sets[[name]], ])
}
for (name in names(scores)) heatmap(paste0("scores_", name, ".pdf"), scores[[name]])
