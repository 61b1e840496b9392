import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fail, nearest } from '../errors.js';

/** The name as it stands when it is a directory, `~` written out; undefined when nothing is there. */
export function localDirectory(name: string): string | undefined {
  const place = expandHome(name);
  let stats: fs.Stats | undefined;
  try {
    stats = place.includes('\0') ? undefined : fs.statSync(place, { throwIfNoEntry: false });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENAMETOOLONG') fail('model', `${name} cannot be looked at: ${code}. Check who may read it.`, error);
  }
  if (stats && !stats.isDirectory()) {
    fail('model', `${name} is a file. Give the directory that holds the model, or the id of a repository on the hub.`);
  }
  return stats && place;
}

/** Refuses what can be no id of the hub: `name` or `organisation/name`, by the rules of Python's client. */
export function checkRepoId(name: string): void {
  const reason = reasonAgainst(name);
  if (reason === undefined) return;
  const similar = similarDirectory(name);
  fail(
    'model',
    `there is no directory ${JSON.stringify(name)} (looked at ${path.resolve(expandHome(name))}), nor can this be the id ` +
      `of a repository on the hub: ${reason}. ` +
      (similar
        ? `Did you mean ${JSON.stringify(similar)}?`
        : 'Check the path, or give an id such as facebook/bart-base.'),
  );
}

/** A directory beside the missing one whose name is much like it, written as the name was. */
export function similarDirectory(name: string): string | undefined {
  const place = path.resolve(expandHome(name));
  const parent = path.dirname(place);
  try {
    const entries = fs.readdirSync(parent, { withFileTypes: true });
    const directories = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    const found = nearest(path.basename(place), directories);
    return found === undefined ? undefined : path.join(path.dirname(name), found);
  } catch {
    return undefined;
  }
}

export function expandHome(name: string): string {
  return name === '~' || /^~[/\\]/.test(name) ? path.join(os.homedir(), name.slice(1)) : name;
}

function reasonAgainst(name: string): string | undefined {
  const rules: readonly (readonly [boolean, string])[] = [
    [name === '', 'it is empty'],
    [/^[.~/\\]|\\|^[A-Za-z]:/.test(name), 'it is written like a path'],
    [name.split('/').length > 2, 'an id has at most one "/"'],
    [!/^[\w.-]+(\/[\w.-]+)?$/.test(name), 'an id has letters, digits, "-", "_" and "." on each side of its "/"'],
    [!/^(\w([\w.-]*\w)?\/)?\w([\w.-]*\w)?$/.test(name), 'no part of an id starts or ends with "-" or "."'],
    [name.slice(name.indexOf('/') + 1).length > 96, 'the name in an id has at most 96 characters'],
    [/--|\.\./.test(name), 'an id has no "--" and no ".."'],
    [name.endsWith('.git'), 'an id does not end with ".git"'],
  ];
  return rules.find(([broken]) => broken)?.[1];
}
