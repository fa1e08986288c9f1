// Plain JavaScript on purpose: an older Node fails on the first type annotation of a .ts file with a stack
// trace, before any code of ours could say what is wrong.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

if (major < 24 || (major === 24 && minor < 12)) {
  process.stderr.write(
    `Node ${process.versions.node} is too old: this project needs Node 24.12 or newer. ` +
      'Run it through npm (npm start, npm test): `npm ci` installs the right one beside it. Where npm did not let its ' +
      'install script run, `npm rebuild node --ignore-scripts=false` does.\n'
  )
  process.exit(1)
}
