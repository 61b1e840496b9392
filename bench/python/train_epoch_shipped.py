"""One epoch of Simple Transformers' own Seq2SeqModel at its defaults, as a server of timed rounds.

    python train_epoch_shipped.py '{"directory": "…", "type": "bart"}'

Needs simpletransformers 0.70.1 (its seq2seq part; `pip install --no-deps` will do). Nothing is saved; tokenising is left
in, in this process, as it hangs in forked ones. With Transformers 4.49 its generic models train on their own input, so
that only the time counts.
"""

import contextlib
import io
import logging
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import torch
from bart_base import serve, settings
from simpletransformers.seq2seq import Seq2SeqArgs, Seq2SeqModel

logging.disable(logging.CRITICAL)
options = settings(dict(threads=2, directory="", type="bart"))
directory = Path(options["directory"])
lines = (directory / "rows.tsv").read_text(encoding="utf-8").split("\n")[1:-1]
rows = [line.split("\t") for line in lines]


def epoch(round):
    place = tempfile.mkdtemp()
    args = Seq2SeqArgs()
    args.train_batch_size = round["batch"]
    args.no_save = True
    args.save_steps = -1
    args.save_model_every_epoch = False
    args.output_dir, args.cache_dir, args.tensorboard_dir = place, f"{place}/cache", f"{place}/runs"
    args.use_multiprocessing = False
    args.silent = True
    args.fp16 = False
    args.overwrite_output_dir = True
    model = directory / "model"
    names = (
        dict(encoder_decoder_type="bart", encoder_decoder_name=str(model))
        if options["type"] == "bart"
        else dict(encoder_type=options["type"], encoder_name=str(model / "encoder"), decoder_name=str(model / "decoder"))
    )
    with contextlib.redirect_stdout(io.StringIO()):
        seq2seq = Seq2SeqModel(**names, args=args, use_cuda=False)
        torch.set_num_threads(options["threads"])
        data = pd.DataFrame(rows[: round["rows"]], columns=["input_text", "target_text"])
        start = time.perf_counter()
        _, loss = seq2seq.train_model(data, show_running_loss=False)
        seconds = time.perf_counter() - start
    shutil.rmtree(place, ignore_errors=True)
    return dict(seconds=seconds, loss=float(loss))


serve(epoch, name="simpletransformers", version="0.70.1")
