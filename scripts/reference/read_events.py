"""Prints what the real `tensorboard` package reads in a directory of event files.

    python scripts/reference/read_events.py DIRECTORY
"""

import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "tensors": 0})
events.Reload()
for tag in events.Tags()["scalars"]:
    print(tag, [(event.step, event.value) for event in events.Scalars(tag)])
for tag in events.Tags()["tensors"]:
    plugin = events.SummaryMetadata(tag).plugin_data.plugin_name
    print(tag, plugin, [(event.step, event.tensor_proto.string_val[0].decode()) for event in events.Tensors(tag)])
