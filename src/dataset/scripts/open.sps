* Encoding: UTF-8.
* Loads the tables of this dataset, each as a dataset of its table's name, with formats and labels.
* Before it runs, SPSS has to stand in the dataset's folder: CD 'C:\path\to\folder'.
* A text with a line break in it ends its row: take that table in another program.
* Texts that begin with an apostrophe began with a sign that a spreadsheet takes for a formula.
SET DECIMAL=DOT.

@TABLES@
