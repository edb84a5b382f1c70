"""From the outcome of a study to statistics, findings, figures and pages."""
