import type { AddedToken } from './added-tokens.js';

/** What Python's `strip` takes for white space: unlike JavaScript's, with U+001C to U+001F and U+0085, without U+FEFF. */
const SPACE = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const LEADING = new RegExp(`^${SPACE}+`);
const NOT_SPACE = new RegExp(SPACE.replace('[', '[^'));

export const stripStart = (text: string): string => text.replace(LEADING, '');

/** Goes backwards, since a search for white space before the end looks at every stretch of it. */
export function stripEnd(text: string): string {
  let end = text.length;
  while (end > 0 && !NOT_SPACE.test(text[end - 1]!)) end--;
  return text.slice(0, end);
}

export const strip = (text: string): string => stripEnd(stripStart(text));

/**
 * Cuts added tokens out of a text as Transformers' tokenizers written in Python do, which differs from the native ones
 * ({@link AddedTokens.split}): normalised or not, all are sought at once in the text as it is, the leftmost and then the
 * longest, and what touches a token is a word unless it is a space. A part that reads like a token is one.
 */
export function pythonCuts(tokens: readonly AddedToken[]): (text: string) => string[] {
  const byContent = new Map(tokens.map((token) => [token.content, token]));
  if (byContent.size === 0) return (text) => (text === '' ? [] : [text]);
  const longestFirst = [...byContent.keys()].sort((a, b) => b.length - a.length);
  const alternatives = longestFirst.map((content) => content.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  const pattern = new RegExp(`(${alternatives.join('|')})`);
  return (text) => {
    const parts = text.split(pattern).filter((part) => part !== '');
    for (let i = 0; i < parts.length; i++) {
      const token = byContent.get(parts[i]!);
      if (!token) continue;
      const left = parts[i - 1];
      const right = parts[i + 1];
      if (token.rstrip && right) parts[i + 1] = stripStart(right);
      if (token.lstrip && left) parts[i - 1] = stripEnd(left);
      if (!token.single_word) continue;
      if (left && !left.endsWith(' ')) {
        parts[i - 1] += parts[i]!;
        parts[i] = '';
      } else if (right && !right.startsWith(' ')) {
        parts[i + 1] = parts[i]! + parts[i + 1]!;
        parts[i] = '';
      }
    }
    return parts.filter((part) => part !== '');
  };
}
