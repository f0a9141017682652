"""The page that ``convert`` writes: report.html, what each scheme cost, to see and to hear."""
