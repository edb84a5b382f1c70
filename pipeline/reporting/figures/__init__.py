"""The report's Plotly figures, one file each.

Colours are written ``var(--name)``: custom properties of the page's style sheet. The page resolves them
before it draws, so figures follow its light or dark scheme. A family has the same colour and marker in every
figure.
"""
