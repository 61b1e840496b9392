import type { BertFamily } from './bert-config.js';

/** BERT (Devlin et al. 2019). */
export const bert: BertFamily = {
  className: 'BertModel',
  basePrefix: 'bert.',
  layers: 'encoder.layer',
  names: {
    attention: {
      query: 'attention.self.query',
      key: 'attention.self.key',
      value: 'attention.self.value',
      output: 'attention.output.dense',
      norm: 'attention.output.LayerNorm',
    },
    intermediate: 'intermediate.dense',
    output: 'output.dense',
    outputNorm: 'output.LayerNorm',
  },
  fields: {
    size: 'hidden_size',
    layers: 'num_hidden_layers',
    heads: 'num_attention_heads',
    feedForward: 'intermediate_size',
    activation: 'hidden_act',
    dropout: 'hidden_dropout_prob',
    attentionDropout: 'attention_probs_dropout_prob',
    epsilon: 'layer_norm_eps',
  },
  padTokenId: 0,
  hasSegments: true,
  positionsBehindPadding: false,
  hasPooler: true,
  dropsAttentionOutput: true,
};

/** RoBERTa (Liu et al. 2019). */
const roberta: BertFamily = {
  ...bert,
  className: 'RobertaModel',
  basePrefix: 'roberta.',
  padTokenId: 1,
  positionsBehindPadding: true,
};

/** DistilBERT (Sanh et al. 2019): no segments, no pooler, names of its own. */
const distilbert: BertFamily = {
  className: 'DistilBertModel',
  basePrefix: 'distilbert.',
  layers: 'transformer.layer',
  names: {
    attention: {
      query: 'attention.q_lin',
      key: 'attention.k_lin',
      value: 'attention.v_lin',
      output: 'attention.out_lin',
      norm: 'sa_layer_norm',
    },
    intermediate: 'ffn.lin1',
    output: 'ffn.lin2',
    outputNorm: 'output_layer_norm',
  },
  fields: {
    size: 'dim',
    layers: 'n_layers',
    heads: 'n_heads',
    feedForward: 'hidden_dim',
    activation: 'activation',
    dropout: 'dropout',
    attentionDropout: 'attention_dropout',
  },
  padTokenId: 0,
  hasSegments: false,
  positionsBehindPadding: false,
  hasPooler: false,
  dropsAttentionOutput: false,
};

/** ELECTRA (Clark et al. 2020), whose embeddings may be narrower than its layers. */
const electra: BertFamily = {
  ...bert,
  className: 'ElectraModel',
  basePrefix: 'electra.',
  embeddingSize: 128,
  hasPooler: false,
};

/** The encoders of the generic models, by `model_type`. */
export const encoders: Readonly<Record<string, BertFamily>> = {
  bert,
  roberta,
  distilbert,
  camembert: { ...roberta, className: 'CamembertModel' },
  electra,
};
