"""The report: reads the outcome of a study and makes statistics, findings, figures and pages of it."""
