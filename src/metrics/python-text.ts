/** What Python's `str.split()` and `\s` take for space; JavaScript's has the byte order mark besides, and lacks some controls. */
const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const spaces = new RegExp(`[${SPACE}]+`, 'u');
const severalSpaces = new RegExp(`[${SPACE}][${SPACE}]+`, 'gu');
const around = new RegExp(`^[${SPACE}]+|[${SPACE}]+$`, 'gu');
const behind = new RegExp(`[${SPACE}]+$`, 'u');

/** The words between any space. */
export const words = (text: string): string[] => text.split(spaces).filter((word) => word !== '');
export const strip = (text: string): string => text.replace(around, '');
export const stripEnd = (text: string): string => text.replace(behind, '');
export const singleSpaces = (text: string): string => text.replace(severalSpaces, ' ');
/** Characters as Python counts them: code points. */
export const characters = (text: string): string[] => [...text];
