"""From a result to what people look at: one page, figures as files, a table on the terminal."""
