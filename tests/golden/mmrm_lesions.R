# Golden values for the mixed model of two lesions of each patient: lme4 1.1-31, restricted maximum likelihood. A patient
# and a lesion each have an effect at every visit, so that lesions of one patient go together and vary alike. The residual
# cannot be told from the effects of lesions; what is compared is their sum. Run in this folder: Rscript mmrm_lesions.R.
# Writes mmrm_lesions_scores.tsv (what goes in), mmrm_lesions_means.tsv and mmrm_lesions_covariance.tsv.
suppressMessages(library(lme4))
set.seed(20250212)

cells <- data.frame(week = rep(c(0, 1, 2), each = 2), arm = rep(c("drug", "vehicle"), 3))
mean_of <- c(8, 8, 6, 7.5, 4, 7)
rows <- NULL
for (i in 1:26) {
  patient <- rnorm(1, 0, 1)
  visit <- rep(rnorm(3, 0, 0.9), each = 2)
  lesion <- rep(rnorm(2, 0, 0.8), 3)
  y <- mean_of + patient + visit + lesion + rnorm(6, 0, 0.9)
  rows <- rbind(rows, data.frame(patient = sprintf("P%02d", i), cells, place = 1:6, score = round(y, 5)))
}
# A sixth of all samples is missing.
scores <- rows[-sample(nrow(rows), nrow(rows) / 6), ]
scores$cell <- factor(scores$place)
scores$visit <- factor(scores$week)
scores$lesion <- paste(scores$patient, scores$arm)
exact <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e6), calc.derivs = FALSE,
                     check.nobs.vs.nRE = "ignore", check.conv.singular = "ignore")
fit <- lmer(score ~ 0 + cell + (0 + visit | patient) + (0 + visit | lesion), scores, REML = TRUE, control = exact)
found <- VarCorr(fit)
between <- matrix(found$patient, 3)
within <- between + matrix(found$lesion, 3) + sigma(fit)^2 * diag(3)
means <- data.frame(cells, mean = unname(fixef(fit)))
covariance <- data.frame(what = rep(c("one lesion", "two lesions"), each = 9), week = rep(0:2, 6),
                         other = rep(rep(0:2, each = 3), 2), covariance = c(within, between))
save <- function(x, path) write.table(format(x, digits = 10, trim = TRUE), path, sep = "\t",
                                      quote = FALSE, row.names = FALSE)
save(scores[, c("patient", "arm", "week", "score")], "mmrm_lesions_scores.tsv")
save(means, "mmrm_lesions_means.tsv")
save(covariance, "mmrm_lesions_covariance.tsv")
