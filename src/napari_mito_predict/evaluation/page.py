"""The frame of HTML pages, and the fixed words of the report."""

from __future__ import annotations

from string import Template

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>$title</title>
<style>
:root { --ink: #1f2430; --soft: #5d6575; --line: #dde1e8; --paper: #fff; --tint: #f5f6f9; --accent: #4a3f8f; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--tint);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 24px 60px; }
h1 { font-size: 26px; margin: 0 0 2px; }
h2 { font-size: 19px; margin: 0 0 10px; }
h3 { font-size: 15px; margin: 18px 0 6px; }
p { margin: 6px 0; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; padding: 18px 22px;
  margin: 16px 0; }
.soft { color: var(--soft); font-size: 13px; }
.warn { background: #fff4d6; border: 1px solid #e3b341; border-radius: 8px; padding: 10px 16px; margin: 14px 0; }
.warn b { display: block; }
.ok { color: #1a6b3c; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13.5px; width: 100%; margin: 6px 0 10px; }
th, td { padding: 4px 10px 4px 0; text-align: right; border-bottom: 1px solid var(--line);
  font-variant-numeric: tabular-nums; vertical-align: top; }
th { font-weight: 600; color: var(--soft); }
td { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 190px; }
th.name, td.name { text-align: left; }
tr.baseline td { color: var(--soft); font-style: italic; }
td.best { font-weight: 700; color: var(--accent); }
td.best::after { content: " \\2605"; font-size: 11px; }
img { display: block; max-width: 100%; height: auto; margin: 8px 0; }
figure { margin: 8px 0; min-width: 0; }
figcaption { color: var(--soft); font-size: 13px; }
.pair { display: flex; flex-wrap: wrap; gap: 0 18px; align-items: flex-start; }
.pair > figure { flex: 0 1 auto; }
@media (min-width: 900px) { .pair.one { display: grid; grid-template-columns: 9fr 16fr; } }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 0 28px; }
@media (max-width: 800px) { .sides { grid-template-columns: 1fr; } }
ul { margin: 6px 0; padding-left: 20px; }
li { margin: 3px 0; }
details { margin: 8px 0; }
a { color: var(--accent); }
summary { cursor: pointer; color: var(--accent); font-size: 13.5px; }
code { font-size: 12.5px; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 16px; font-size: 13.5px; margin: 8px 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
@media print { body { background: #fff; } section { break-inside: avoid-page; border: 0; padding: 0; } }
</style>
</head>
<body><main>
<header><h1>$heading</h1><p class="soft">$subtitle</p></header>
$body
</main></body></html>
""")

COVERAGE = """<section><h2>What these numbers cover</h2><ul>
<li><b>Voxels.</b> "All voxels" are all of the field, time points and Z steps included, that are finite in both images.
"Foreground" are those where the <em>truth</em> is above Otsu's threshold, computed over the whole volume of the truth
clipped to its 0.1–99.9 percentiles. "Mask" are those where the mask given with <code>--mask</code> is not 0.</li>
<li><b>Predicted intensity is relative.</b> It is a z-score of the training truth, not a calibrated brightness. PCC does
not depend on that. For R², NRMSE, PSNR and MAE the prediction was first fitted to the truth by least squares
(offset + gain × prediction, gain never negative), once over the whole volume: they do not measure absolute
intensity. Over all voxels R² is the square of a positive PCC.</li>
<li><b>SSIM comes in two forms that are different numbers.</b> The <em>global</em> form (Hsu, Lee &amp; Wei 2021) uses
one mean, variance and covariance for all voxels; the <em>windowed</em> form (scikit-image, 7 × 7 windows in each
plane) is the usual one. For both, each image is clipped to its 0.1–99.9 percentiles over the volume and scaled to
[0, 1]; L = 1.
</li>
<li><b>Parts of a volume</b> (foreground, mask, planes, time points) use the percentiles and the fit of the whole
volume; their PCC is their own. R² of a part can be negative.</li>
<li><b>Nothing was registered or corrected</b> before the numbers were taken.</li>
</ul></section>"""

MEASURES = """<section><h2>The measures</h2><dl>
<dt>PCC</dt><dd>Pearson correlation over voxels. 1 is perfect, 0 no linear relation.</dd>
<dt>Fine PCC</dt><dd>PCC of fine structure: from each image its blur in y and x by a Gaussian of 1.3 µm is subtracted
(12 pixels where the voxel size is unknown). A prediction that only tells where the cell is, or where it is granular,
has a PCC that flatters and a low fine PCC.</dd>
<dt>Spectral PCC</dt><dd>PCC in which each spatial frequency counts by the power of the truth above its noise, as VisCy
reports it; of each stack where the Z step is known, else of each plane. It is mostly decided by coarse structure.</dd>
<dt>FSC resolution</dt><dd>The size in y and x at which Fourier shell correlation of prediction and truth first falls
below 1/7: finer structure is not where the truth has it. Empty where the voxel size is unknown or a voxel is left
out.</dd>
<dt>SSIM, global form</dt><dd>(2 m<sub>p</sub> m<sub>t</sub> + c<sub>1</sub>)(2 cov + c<sub>2</sub>) /
((m<sub>p</sub>² + m<sub>t</sub>² + c<sub>1</sub>)(v<sub>p</sub> + v<sub>t</sub> + c<sub>2</sub>)),
c<sub>1</sub> = 0.01², c<sub>2</sub> = 0.03², of the scaled images.</dd>
<dt>SSIM, windowed</dt><dd>The same in windows of 7 × 7 voxels, averaged.</dd>
<dt>R², fitted</dt><dd>1 − sum of squared residuals / sum of squares of the truth about its mean.</dd>
<dt>NRMSE, fitted</dt><dd>Root mean squared residual / standard deviation of the truth.</dd>
<dt>PSNR, fitted</dt><dd>10 log<sub>10</sub>(L² / mean squared residual), L = span of the truth between its 0.1 and 99.9
percentiles.</dd>
<dt>MAE, fitted</dt><dd>Mean absolute residual in the truth's units, for example camera counts.</dd>
<dt>Blurred input</dt><dd>A prediction without a network: the transmitted light, blurred and where that fits better
inverted. Blur and sign are the best ones for this very field, which favours this baseline.</dd>
<dt>Local contrast</dt><dd>Another: the standard deviation of the transmitted light in a square around each voxel,
of 5 to 41 voxels a side, the best for this very field. It finds where a cell is granular.</dd>
<dt>Mean truth of the other fields</dt><dd>What can be known without looking at the field.</dd>
<dt>Noise ceiling</dt><dd>√r, r being the PCC between two recordings of the truth (Spearman 1904): the highest PCC that
a prediction without noise could reach with one noisy truth.</dd>
<dt>Mean difference ± standard error</dt><dd>Differences field by field between two models; the standard error is over
fields and says nothing of fields unlike these.</dd>
</dl></section>"""
