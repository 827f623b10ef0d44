// Bundles src/ into one HTML file that needs nothing else: script, styles, images and the licences of what is in
// it. The page carries its own Content-Security-Policy with the script's hash, so that it can load nothing from
// elsewhere and run nothing but itself, whatever headers the server sets.
//
// usage: node bundle.mjs OUTPUT.html

import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const output = process.argv[2];
if (!output) throw new Error('usage: node bundle.mjs OUTPUT.html');

// GraphiQL embeds 34 font files, three quarters of its style sheet; console.css names the system's fonts.
const withoutFonts = {
  name: 'without-fonts',
  setup(bundler) {
    bundler.onLoad({ filter: /graphiql[\\/]dist[\\/]style\.css$/ }, async ({ path: file }) => {
      const css = await readFile(file, 'utf8');
      return { contents: css.replace(/@font-face\s*\{[^}]*\}/g, ''), loader: 'css' };
    });
  },
};

const bundle = await build({
  absWorkingDir: here,
  entryPoints: ['src/main.tsx'],
  outdir: 'out',
  write: false,
  bundle: true,
  minify: true,
  metafile: true,
  format: 'iife',
  target: ['chrome109', 'firefox115', 'safari16'],
  charset: 'utf8',
  jsx: 'automatic',
  legalComments: 'none',
  define: { 'process.env.NODE_ENV': '"production"' },
  loader: { '.graphql': 'text' },
  plugins: [withoutFonts],
});
const outputOf = (extension) => bundle.outputFiles.find((file) => file.path.endsWith(extension)).text.trim();
// `<!--` stands in strings and regular expressions only (esbuild never writes it as code); inside HTML it could hide
// the end of the script.
const script = outputOf('.js').replaceAll('<!--', '\\x3C!--');
const styles = outputOf('.css');
if (/<\/script/i.test(script)) throw new Error('the script would end itself inside HTML');
if (/<\/style|url\((?!["']?data:)|@import/i.test(styles)) throw new Error('the styles load something');

const policy = [
  "default-src 'none'",
  `script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`,
  "style-src 'unsafe-inline'", // CodeMirror and Radix write styles as they go
  'img-src data:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

await writeFile(
  output,
  `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Colloquy</title>
<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(await readFile(path.join(here, 'src/icon.svg'), 'utf8'))}">
<style>${styles}</style>
</head>
<body>
<div id="console"></div>
<noscript>The console needs JavaScript. The API is at /graphql.</noscript>
<script>${script}</script>
<!--
${await licences(Object.keys(bundle.metafile.inputs))}
-->
</body>
</html>
`,
);

/** Name, version and licence text of every package that gave something to the bundle, equal texts told once. */
async function licences(inputs) {
  const folders = new Set();
  for (const input of inputs) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match) folders.add(match[1]);
  }
  const byText = new Map();
  for (const folder of [...folders].sort()) {
    const { name, version, license } = JSON.parse(await readFile(path.join(here, folder, 'package.json'), 'utf8'));
    const file = (await readdir(path.join(here, folder))).sort().find((entry) => /^(licen[cs]e|copying)/i.test(entry));
    const text = file ? (await readFile(path.join(here, folder, file), 'utf8')).trim() : `Licence: ${license}`;
    byText.set(text, [...(byText.get(text) ?? []), `${name} ${version}`]);
  }
  return ['This page contains the following packages.']
    .concat([...byText].map(([text, packages]) => `${packages.join(', ')}\n\n${text}`))
    .join('\n\n----\n\n')
    .replace(/\r/g, '')
    .replace(/--+!?>/g, '');
}
