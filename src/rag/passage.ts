/** A piece of text that can be found, and what it is from. */
export interface Passage {
  readonly title: string;
  readonly text: string;
}
