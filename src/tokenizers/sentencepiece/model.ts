import { fail } from '../../errors.js';
import type { SentencePiece, SentencePieceFile } from './file.js';

const pending = (): never => fail('tokenizer', 'SentencePiece is not there yet.');

export class SentencePieceModel {
  readonly pieces: readonly SentencePiece[];
  readonly unkId: number;
  constructor(file: SentencePieceFile) {
    this.pieces = file.pieces;
    this.unkId = 0;
  }
  pieceToId(_piece: string): number | undefined {
    return pending();
  }
  encode(_text: string): number[] {
    return pending();
  }
  encodePieces(_text: string): string[] {
    return pending();
  }
  decode(_pieces: readonly string[]): string {
    return pending();
  }
}
