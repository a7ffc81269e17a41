# Compares what open/open.R loads of a dataset with what the simulation sent.
source("open/open.R")
sent <- read.delim(commandArgs(trailingOnly = TRUE)[1], header = FALSE)
for (row in seq_len(nrow(sent))) {
  table <- tables[[sent[row, 1]]]
  stopifnot(nrow(table) == sent[row, 3], sum(table[[sent[row, 2]]], na.rm = TRUE) == sent[row, 4])
}
activities <- tables$activities
stopifnot(
  inherits(activities$start_utc, "POSIXct"), inherits(activities$local_date, "Date"),
  is.integer(activities$duration_s), is.numeric(activities$distance_m), is.character(activities$record_id),
  is.factor(tables$participants$state), all(tables$participants$state == "active"),
  nzchar(attr(activities$duration_s, "label")), attr(activities$duration_s, "units") == "s",
  nzchar(attr(activities, "label")), all(format(activities$start_utc, "%Y") == "2026"))
