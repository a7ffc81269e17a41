# Loads the tables of this dataset with their types and labels; base R is enough for CSV and NDJSON.
#
#   source("open/open.R")         in the dataset's folder
#   str(tables$participants)      the tables are in the list `tables`
#   attr(tables$participants$state, "label")
#
# Text becomes character, or factor where the values are few and fixed; integers beyond what R holds exactly stay
# character; dates become Date, times in UTC POSIXct, times of day stay character. Empty cells are NA.

open_dataset <- function(folder = if (file.exists("manifest.json")) "." else "..") {
  lines_of <- function(path) {
    input <- file(path, open = "r", encoding = "UTF-8")
    on.exit(close(input))
    readLines(input, warn = FALSE)
  }

  # One object a line, its values plain: no object or array stands in another.
  read_ndjson <- function(path, names) {
    value_of <- function(lines, name) {
      pattern <- paste0("[{,]\"", name, "\":(\"(?:[^\"\\\\]|\\\\.)*\"|[^,}]*)")
      found <- regexpr(pattern, lines, perl = TRUE)
      start <- attr(found, "capture.start")
      text <- substring(lines, start, start + attr(found, "capture.length") - 1)
      text[found < 0 | text == "null" | text == "\"\""] <- NA
      quoted <- !is.na(text) & startsWith(text, "\"")
      text[quoted] <- vapply(text[quoted], unquoted, "", USE.NAMES = FALSE)
      text
    }
    unquoted <- function(text) {
      text <- substring(text, 2, nchar(text) - 1)
      if (!grepl("\\", text, fixed = TRUE)) return(text)
      parts <- regmatches(text, gregexpr("\\\\u[0-9a-fA-F]{4}|\\\\.|[^\\\\]+", text))[[1]]
      escapes <- c("\\n" = "\n", "\\r" = "\r", "\\t" = "\t", "\\b" = "\b", "\\f" = "\f")
      plain <- vapply(parts, function(part) {
        if (!startsWith(part, "\\")) part
        else if (startsWith(part, "\\u")) intToUtf8(strtoi(substring(part, 3), 16L))
        else if (part %in% names(escapes)) escapes[[part]]
        else substring(part, 2)
      }, "")
      paste(plain, collapse = "")
    }
    lines <- lines_of(path)
    as.data.frame(sapply(names, function(name) value_of(lines, name), simplify = FALSE), stringsAsFactors = FALSE)
  }

  read_part <- function(path, names) {
    if (endsWith(path, ".ndjson")) {
      read_ndjson(path, names)
    } else if (endsWith(path, ".parquet")) {
      if (!requireNamespace("arrow", quietly = TRUE)) {
        stop("base R reads no Parquet: install.packages(\"arrow\"), or export with --format csv")
      }
      as.data.frame(arrow::read_parquet(path))
    } else {
      part <- read.csv(path, colClasses = "character", na.strings = "", encoding = "UTF-8", check.names = FALSE,
                       comment.char = "", strip.white = FALSE)
      # A sign that a spreadsheet would take for a formula stands behind an apostrophe.
      part[] <- lapply(part, function(column) sub("^'(?=[-=+@\t\r\n])", "", column, perl = TRUE))
      part
    }
  }

  whole <- function(text) {
    if (!is.character(text)) return(text)
    number <- suppressWarnings(as.numeric(text))
    if (any(is.na(number) != is.na(text)) || any(abs(number) >= 2^53, na.rm = TRUE)) return(text)
    if (any(abs(number) > .Machine$integer.max, na.rm = TRUE) || any(number != trunc(number), na.rm = TRUE)) number
    else as.integer(number)
  }

  typed <- function(column, type, values) {
    if (length(values) > 0) {
      text <- as.character(column)
      return(factor(text, levels = union(values, sort(unique(text[!is.na(text)])))))
    }
    switch(type,
      integer = whole(column),
      number = as.numeric(column),
      boolean = as.logical(column),
      date = as.Date(column),
      datetime = if (inherits(column, "POSIXct")) column
                 else as.POSIXct(column, format = "%Y-%m-%dT%H:%M:%SZ", tz = "UTC"),
      as.character(column))
  }

  tables <- list()
  table_of <- function(name, label, files, columns) {
    names <- vapply(columns, `[[`, "", "name")
    parts <- lapply(file.path(folder, files), read_part, names = names)
    data <- if (length(parts) == 1) parts[[1]] else do.call(rbind, parts)
    for (column in columns) {
      values <- typed(data[[column$name]], column$type, column$values)
      attr(values, "label") <- column$label
      if (nzchar(column$unit)) attr(values, "units") <- column$unit
      data[[column$name]] <- values
    }
    attr(data, "label") <- label
    tables[[name]] <<- data
  }
  column <- function(name, type, unit, label, values = character()) {
    list(name = name, type = type, unit = unit, label = label, values = values)
  }

@TABLES@
  tables
}

tables <- open_dataset()
