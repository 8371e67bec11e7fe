# Golden values for the mixed model of patients' courses: lme4 1.1-31.
# Run in this folder: Rscript mixed.R. Writes mixed_scores.tsv (what goes in), mixed_decreases.tsv and
# mixed_noise.tsv.
suppressMessages(library(lme4))
set.seed(20240712)

rows <- NULL
for (score in c("steep", "noisy")) for (i in 1:24) {
  week <- c(0, 2, 4, 12)
  arm <- c("drug", "placebo")[1 + i %% 2]
  time <- log1p(week) / log1p(12)
  slope <- ifelse(arm == "drug", -4, -1) + rnorm(1, 0, ifelse(score == "steep", 1.5, 0.8))
  y <- 8 + rnorm(1) + slope * time + rnorm(4, 0, ifelse(score == "steep", 0.4, 0.8))
  rows <- rbind(rows, data.frame(name = score, patient = sprintf("P%02d", i), arm, week,
                                 score = round(y, 5)))
}
# Some visits are missing.
rows <- rows[-c(7, 8, 20, 61, 110, 111, 150), ]

decreases <- noise <- NULL
for (score in unique(rows$name)) {
  mine <- rows[rows$name == score, ]
  mine$time <- log1p(mine$week) / log1p(12)
  mine$cell <- paste(mine$arm, mine$week)
  fit <- lmer(score ~ 0 + cell + (1 + time | patient), mine, REML = TRUE,
              control = lmerControl(optCtrl = list(maxfun = 1e5)))
  stopifnot(!isSingular(fit))
  mean_at <- function(arm, week) fixef(fit)[paste0("cell", paste(arm, week))]
  slope <- ranef(fit)$patient[mine$patient, "time"]
  mine$decrease <- mean_at(mine$arm, 0) - mean_at(mine$arm, mine$week) - slope * mine$time
  decreases <- rbind(decreases, mine[, c("name", "patient", "week", "decrease")])
  noise <- rbind(noise, data.frame(name = score, noise = sigma(fit)))
}
save <- function(x, path) write.table(format(x, digits = 10, trim = TRUE), path, sep = "\t",
                                      quote = FALSE, row.names = FALSE)
save(rows, "mixed_scores.tsv")
save(decreases, "mixed_decreases.tsv")
save(noise, "mixed_noise.tsv")
