# Golden values for the mixed model of repeated measures: nlme 3.1-162 (gls, restricted maximum likelihood).
# Run in this folder: Rscript mmrm.R. Writes mmrm_scores.tsv (what goes in), mmrm_means.tsv,
# mmrm_decreases.tsv (from baseline) and mmrm_covariance.tsv.
suppressMessages(library(nlme))
set.seed(20250211)

weeks <- c(0, 4, 12)
mean_of <- list(drug = c(8, 5, 3), placebo = c(8.2, 7.5, 7))
spread <- matrix(c(1.5, 0.9, 0.6, 0.9, 2.0, 1.2, 0.6, 1.2, 2.5), 3)
draw <- function(name, each, lost) {
  rows <- NULL
  for (arm in names(mean_of)) for (i in seq_len(each)) {
    y <- mean_of[[arm]] + drop(t(chol(spread)) %*% rnorm(3))
    rows <- rbind(rows, data.frame(name, patient = sprintf("%s%02d", arm, i), arm, week = weeks,
                                   visit = 1:3, score = round(y, 5)))
  }
  rows[-lost(nrow(rows)), ]
}
# A quarter of all visits is missing, at baseline too.
quarter <- function(n) sample(n, n / 4)
# So few patients are seen at both later visits that one correlation stands for all.
apart <- function(n) { patient <- rep(seq_len(n / 3), each = 3)
                       which(rep(1:3, n / 3) == 2 + patient %% 2 & patient %% 5 > 0) }
scores <- rbind(draw("unstructured", 16, quarter), draw("compound symmetry", 9, apart))
scores <- scores[order(scores$name, scores$patient, scores$visit), ]

means <- decreases <- covariance <- NULL
for (name in unique(scores$name)) {
  mine <- scores[scores$name == name, ]
  mine$cell <- factor(paste(mine$arm, mine$week))
  exact <- glsControl(tolerance = 1e-12, msTol = 1e-14, maxIter = 500, msMaxIter = 500)
  fit <- if (name == "unstructured") {
    gls(score ~ 0 + cell, mine, correlation = corSymm(form = ~ visit | patient),
        weights = varIdent(form = ~ 1 | visit), method = "REML", control = exact)
  } else {
    gls(score ~ 0 + cell, mine, correlation = corCompSymm(form = ~ visit | patient),
        method = "REML", control = exact)
  }
  means <- rbind(means, data.frame(name, cell = levels(mine$cell), mean = unname(coef(fit)),
                                   standard_error = unname(sqrt(diag(vcov(fit))))))
  for (arm in names(mean_of)) for (week in weeks[-1]) {
    contrast <- (levels(mine$cell) == paste(arm, 0)) - (levels(mine$cell) == paste(arm, week))
    decreases <- rbind(decreases, data.frame(
      name, arm, week, decrease = sum(contrast * coef(fit)),
      standard_error = sqrt(drop(contrast %*% vcov(fit) %*% contrast))))
  }
  whole <- names(which(table(mine$patient) == 3))[1]
  found <- unclass(getVarCov(fit, individual = whole))
  for (i in 1:3) for (j in 1:3)
    covariance <- rbind(covariance, data.frame(name, week = weeks[i], other = weeks[j],
                                               covariance = found[i, j]))
}
means$arm <- sub(" .*", "", means$cell)
means$week <- as.numeric(sub(".* ", "", means$cell))
save <- function(x, path) write.table(format(x, digits = 10, trim = TRUE), path, sep = "\t",
                                      quote = FALSE, row.names = FALSE)
save(scores[, c("name", "patient", "arm", "week", "score")], "mmrm_scores.tsv")
save(means[, c("name", "arm", "week", "mean", "standard_error")], "mmrm_means.tsv")
save(decreases, "mmrm_decreases.tsv")
save(covariance, "mmrm_covariance.tsv")
