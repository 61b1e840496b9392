/** A place that takes what a run has to tell: TensorBoard files, Weights & Biases. Writing never stops a run. */
export interface RunLogger {
  /** Numbers of an optimizer step by tag: `lr`, `loss`, `eval_loss`. */
  scalars(step: number, values: Readonly<Record<string, number>>): void;
  /** A text in Markdown: the options, generated samples. */
  text(step: number, tag: string, markdown: string): void;
  /** Waits for everything to be written; the logger must not be used afterwards. */
  close(): Promise<void>;
}
