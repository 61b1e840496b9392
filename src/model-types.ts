/** The types as users name them, and the `model_type` of config.json that each is a case of. */
export const modelTypes = {
  bart: 'bart',
  mbart: 'mbart',
  mbart50: 'mbart',
  marian: 'marian',
  bert: 'encoder-decoder',
  roberta: 'encoder-decoder',
  distilbert: 'encoder-decoder',
  camembert: 'encoder-decoder',
  electra: 'encoder-decoder',
  'rag-token': 'rag',
  'rag-sequence': 'rag',
} as const;
export type ModelType = keyof typeof modelTypes;
