# Golden values for the mixed models of patients' courses: nlme 3.1 and dense matrices.
# Run in this folder: Rscript mixed.R. Writes mixed_scores.tsv (what goes in), mixed_fits.tsv (variances that nlme
# finds for each course of time), mixed_decreases.tsv (predictions of nlme, and the variance of their error by
# dense matrices) and mixed_posterior.tsv (responses with variances and courses integrated out on a fine grid).
suppressMessages(library(nlme))
set.seed(20240712)
shapes <- c(0, 0.5, 1)

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
# Some visits are missing; patient P05 has no baseline and is left out.
rows <- rows[-c(7, 8, 17, 61, 110, 111, 113, 150), ]
seen <- paste(rows$name, rows$patient)
rows <- rows[seen %in% seen[rows$week == 0], ]

# All that is said about one score given a ratio of variances and a course of time, by the textbook: levels of
# patients and means of arms and visits are fixed effects, slopes are random, G and V are dense matrices.
given <- function(mine, ratio, shape) {
  time <- ifelse(mine$week == 0, 0, (log1p(mine$week) / log1p(12))^shape)
  cell <- paste(mine$arm, mine$week)
  X <- cbind(model.matrix(~ 0 + patient, mine),
             sapply(unique(cell[mine$week > 0]), function(one) as.numeric(cell == one)))
  Z <- model.matrix(~ 0 + patient, mine) * time
  V <- diag(nrow(X)) + ratio * Z %*% t(Z)
  inverse <- solve(V)
  C <- solve(t(X) %*% inverse %*% X)
  beta <- C %*% t(X) %*% inverse %*% mine$score
  away <- mine$score - X %*% beta
  df <- nrow(X) - ncol(X)
  squares <- drop(t(away) %*% inverse %*% away)
  b <- ratio * t(Z) %*% inverse %*% away
  # A decrease is -(mean of the arm at the visit + slope of the patient * time).
  L <- X; L[, grepl("^patient", colnames(X))] <- 0
  decrease <- -(L %*% beta + Z %*% b)
  lever <- L - ratio * Z %*% t(Z) %*% inverse %*% X
  error <- rowSums((lever %*% C) * lever) +
    diag(ratio * Z %*% t(Z) - ratio^2 * Z %*% t(Z) %*% inverse %*% Z %*% t(Z))
  likelihood <- -(determinant(V)$modulus - determinant(C)$modulus) / 2 - df / 2 * log(squares)
  list(decrease = drop(decrease), error = error, noise = squares / df, df = df,
       likelihood = as.numeric(likelihood))
}

decreases <- fits <- posterior <- NULL
for (score in unique(rows$name)) {
  mine <- rows[rows$name == score, ]
  later <- mine$week > 0
  for (shape in shapes) {
    mine$time <- ifelse(mine$week == 0, 0, (log1p(mine$week) / log1p(12))^shape)
    mine$cell <- factor(ifelse(later, paste(mine$arm, mine$week), "start"))
    mine$cell <- relevel(mine$cell, "start")
    fit <- lme(score ~ 0 + patient + cell, mine, random = list(patient = ~ 0 + time), method = "REML",
               control = lmeControl(opt = "optim", reltol = 1e-12, msTol = 1e-12, maxIter = 500))
    slope <- ranef(fit)[mine$patient, 1]
    effect <- fixef(fit)[paste0("cell", mine$cell)]
    ratio <- as.numeric(VarCorr(fit)[1, 1]) / sigma(fit)^2
    dense <- given(mine, ratio, shape)
    decrease <- -(effect + slope * mine$time)
    stopifnot(max(abs(decrease - dense$decrease)[later]) < 1e-5)
    fits <- rbind(fits, data.frame(name = score, shape, ratio, noise = sigma(fit)^2, df = dense$df))
    decreases <- rbind(decreases, data.frame(name = score, shape, patient = mine$patient, week = mine$week,
                                             decrease, error = dense$error)[later, ])
  }
  # Reliability ratio / (ratio + 2) uniform: midpoints of 400 slices; disease effect 3 with standard error 0.2.
  grid <- expand.grid(reliability = (1:400 - 0.5) / 400, shape = shapes)
  parts <- lapply(seq_len(nrow(grid)), function(i)
    given(mine, 2 * grid$reliability[i] / (1 - grid$reliability[i]), grid$shape[i]))
  likely <- sapply(parts, `[[`, "likelihood")
  weight <- exp(likely - max(likely)); weight <- weight / sum(weight)
  below <- function(limit, row) sum(weight * sapply(parts, function(p)
    pt((limit * 3 - p$decrease[row]) / sqrt(p$noise * p$error[row] + (limit * 0.2)^2), p$df)))
  for (row in which(later & mine$patient %in% sprintf("P%02d", c(1, 2, 7, 8, 11)))) {
    quantile <- function(share) uniroot(function(x) below(x, row) - share, c(-9, 9), tol = 1e-9)$root
    posterior <- rbind(posterior, data.frame(
      name = score, patient = mine$patient[row], week = mine$week[row],
      response = sum(weight * sapply(parts, function(p) p$decrease[row])) / 3,
      lower = quantile(0.025), upper = quantile(0.975),
      above_half = 1 - below(0.5, row), above_three_quarters = 1 - below(0.75, row)))
  }
}
save <- function(x, path) write.table(format(x, digits = 10, trim = TRUE), path, sep = "\t",
                                      quote = FALSE, row.names = FALSE)
save(rows, "mixed_scores.tsv")
save(fits, "mixed_fits.tsv")
save(decreases, "mixed_decreases.tsv")
save(posterior, "mixed_posterior.tsv")
