/**
 * GPT-2's alphabet for bytes: every byte is written as one printable character, so that a vocabulary is a list of
 * ordinary strings. Bytes that are printable in Latin-1 stand for themselves; the others, in order, are U+0100 and up
 * (a space is `Ġ`, a newline `Ċ`).
 */
const CHARACTER_OF_BYTE: readonly string[] = byteCharacters();
const BYTE_OF_CODE = new Int16Array(0x144).fill(-1);
for (const [byte, character] of CHARACTER_OF_BYTE.entries()) BYTE_OF_CODE[character.charCodeAt(0)] = byte;

const encoder = new TextEncoder();
// Malformed sequences become U+FFFD, one for each maximal prefix of a character, as in Python and Rust.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

function byteCharacters(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(printable ? byte : next++);
  });
}

/** The 256 one-byte tokens that spell any text, in byte order. */
export function byteAlphabet(): string[] {
  return [...CHARACTER_OF_BYTE];
}

/** Text as a vocabulary writes it: `" é"` → `"ĠÃ©"`. */
export function toByteAlphabet(text: string): string {
  let spelled = '';
  for (const byte of encoder.encode(text)) spelled += CHARACTER_OF_BYTE[byte]!;
  return spelled;
}

/** The text that tokens in the alphabet spell; a token with a character outside it stands for itself. */
export function fromByteAlphabet(tokens: readonly string[]): string {
  return decoder.decode(Buffer.concat(tokens.map(bytesOf)));
}

function bytesOf(token: string): Uint8Array {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = BYTE_OF_CODE[token.charCodeAt(i)] ?? -1;
    if (byte < 0) return encoder.encode(token);
    bytes[i] = byte;
  }
  return bytes;
}
