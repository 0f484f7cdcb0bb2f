"""Work on owned records: how claiming one ends, and keeping it while the work goes on."""
