# Golden values for drug classes compared by a mixed model with one variance between trials:
# metafor 3.8-1. Run in this folder: Rscript class_meta.R. Writes class_meta_trials.tsv (what goes
# in) and class_meta_combined.tsv.
suppressMessages(library(metafor))
set.seed(20250117)

cases <- 36
arms <- list(c(1, 3), c(2, 2), c(2, 3), c(3, 3), c(3, 5), c(1, 2), c(0, 2), c(0, 3), c(0, 6))
between <- c(0, 0.1, 0.3, 0.6)
tight <- list(threshold = 1e-14, maxiter = 10000)

trials <- do.call(rbind, lapply(seq_len(cases), function(i) {
  sizes <- arms[[(i - 1) %% length(arms) + 1]]
  class <- rep(c(-1, 1), sizes)
  error <- runif(sum(sizes), 0.05, 0.4)
  effect <- 0.3 + 0.2 * class + rnorm(sum(sizes)) * sqrt(error^2 + between[(i - 1) %/% 9 + 1]^2)
  data.frame(case = sprintf("case%02d", i), trial = paste0("trial", seq_along(class)),
             class = class, effect = round(effect, 6), standard_error = round(error, 6))
}))

combine <- function(x, method) {
  several <- length(unique(x$class)) > 1
  mods <- if (several) ~ I(class / 2) else ~ 1
  rma(yi = effect, sei = standard_error, mods = mods, data = x, method = method, test = "knha",
      control = tight)
}

rows <- do.call(rbind, lapply(split(trials, trials$case), function(x) {
  fit <- combine(x, "REML")
  laird <- combine(x, "DL")
  # The coefficient of the class, or the mean of the only one.
  last <- length(fit$b)
  expected <- if (last == 1) predict(fit) else list(pi.lb = NA, pi.ub = NA)
  data.frame(case = x$case[1], effect = fit$b[last], standard_error = fit$se[last],
             lower = fit$ci.lb[last], upper = fit$ci.ub[last], p_value = fit$pval[last],
             tau2 = fit$tau2, i2 = fit$I2 / 100, freedom = fit$k - last,
             first_weight = if (last == 1) weights(fit)[1] / 100 else NA,
             prediction_lower = expected$pi.lb, prediction_upper = expected$pi.ub,
             dl = laird$b[last], dl_lower = laird$ci.lb[last], dl_upper = laird$ci.ub[last],
             dl_tau2 = laird$tau2)
}))

save <- function(x, path) {
  numbers <- sapply(x, is.double)
  x[numbers] <- lapply(x[numbers], function(v) formatC(v, digits = 15, format = "g", width = 1))
  write.table(x, path, sep = "\t", quote = FALSE, row.names = FALSE)
}
save(trials, "class_meta_trials.tsv")
save(rows, "class_meta_combined.tsv")
