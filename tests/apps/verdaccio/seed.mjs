// Three small packages, as the registry itself would have stored them, and the account `qa`.
// Usage: node seed.mjs FOLDER; the password is in HAETAE_APP_PASSWORD.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

const folder = process.argv[2];
const storage = path.join(folder, 'storage');

const packages = [
  {
    name: 'oat-porridge',
    description: 'Breakfast in one pot',
    keywords: ['breakfast', 'oats'],
    versions: ['1.0.0', '1.1.0', '2.0.0'],
    dependencies: { 'wooden-spoon': '^1.0.0' },
    readme: 'Stir slowly, serve warm.',
  },
  {
    name: 'wooden-spoon',
    description: 'Stirs what is in a pot',
    keywords: ['kitchen'],
    versions: ['1.0.0', '1.0.1'],
    dependencies: {},
    readme: 'Never goes into the dishwasher.',
  },
  {
    name: '@bakery/rye-bread',
    description: 'Dark bread that keeps for a week',
    keywords: ['bread', 'rye'],
    versions: ['0.9.0', '1.0.0'],
    dependencies: { 'wooden-spoon': '^1.0.1' },
    readme: 'Needs a starter and a night of patience.',
  },
];

/** A tar archive of text files, packed; enough of the format for npm. */
function archive(files) {
  const blocks = [];
  for (const [name, text] of Object.entries(files)) {
    const content = Buffer.from(text);
    const header = Buffer.alloc(512);
    header.write(`package/${name}`, 0);
    header.write('0000644\0' + '0000000\0' + '0000000\0', 100);
    header.write(content.length.toString(8).padStart(11, '0') + '\0', 124);
    header.write('00000000000\0', 136);
    header.write(' '.repeat(8) + '0', 148);
    header.write('ustar\0' + '00', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(sum.toString(8).padStart(6, '0') + '\0 ', 148);
    blocks.push(header, content, Buffer.alloc((512 - (content.length % 512)) % 512));
  }
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

function store({ name, versions, readme, ...common }) {
  const home = path.join(storage, name);
  fs.mkdirSync(home, { recursive: true });
  const text = `# ${name}\n\n${common.description}.\n\n## How to use it\n\n${readme}\n`;
  const manifest = {
    name, readme: text, versions: {}, 'dist-tags': {}, time: {}, _distfiles: {}, _attachments: {},
    _uplinks: {}, _rev: '1-0000000000000000', _id: name,
  };
  const began = new Date('2026-01-05T09:00:00Z');
  versions.forEach((version, at) => {
    const about = { name, version, ...common, license: 'MIT', author: { name: 'A. Baker' }, main: 'index.js' };
    const file = `${path.basename(name)}-${version}.tgz`;
    const packed = archive({ 'package.json': JSON.stringify(about), 'README.md': text, 'index.js': '' });
    fs.writeFileSync(path.join(home, file), packed);
    const shasum = createHash('sha1').update(packed).digest('hex');
    const integrity = 'sha512-' + createHash('sha512').update(packed).digest('base64');
    // The registry puts its own address before the path when it answers.
    const tarball = `http://localhost/${name}/-/${file}`;
    manifest.versions[version] = { ...about, readme: text, readmeFilename: 'README.md', _id: `${name}@${version}`,
      dist: { shasum, integrity, tarball } };
    manifest._attachments[file] = { shasum, version };
    manifest['dist-tags'].latest = version;
    manifest.time[version] = new Date(began.getTime() + at * 86_400_000).toISOString();
  });
  manifest.time.created = began.toISOString();
  manifest.time.modified = manifest.time[versions.at(-1)];
  fs.writeFileSync(path.join(home, 'package.json'), JSON.stringify(manifest));
}

packages.forEach(store);
fs.writeFileSync(
  path.join(storage, '.verdaccio-db.json'),
  JSON.stringify({ list: packages.map(({ name }) => name), secret: createHash('md5').update(folder).digest('hex') }),
);
const password = createHash('sha1').update(process.env.HAETAE_APP_PASSWORD).digest('base64');
fs.writeFileSync(path.join(folder, 'htpasswd'), `qa:{SHA}${password}\n`);
