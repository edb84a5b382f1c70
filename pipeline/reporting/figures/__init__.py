"""The report's figures as Plotly figures: one file each.

Colours are written ``var(--name)`` and mean custom properties of the page's style sheet; the page resolves them before it
draws, so that figures follow its light and dark scheme. A family has one colour and one marker in every figure.
"""
