"""Keras 2 models as ``model.save`` left them by default: folders of the kind that TensorFlow calls SavedModels.

The graph in ``saved_model.pb`` is never loaded: it would run whatever it holds. ``keras_metadata.pb`` describes the
layers, ``variables/`` is a checkpoint of the arrays, and that checkpoint's list of objects says which layer has which:
names of arrays alone do not, since an array has the shortest of the paths that lead to it.

Source: github.com/tensorflow/tensorflow (core/protobuf/trackable_object_graph.proto), github.com/keras-team/tf-keras
(protobuf/saved_metadata.proto).
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory
from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.train.importing.array_archive import LARGEST_BYTES
from neuralpedal.train.importing.bounded_time import in_bounded_time
from neuralpedal.train.importing.capture import Capture, ImportOptions
from neuralpedal.train.importing.json_node import JsonNode, parse_json, read_bounded
from neuralpedal.train.importing.keras_file import SILENT, Arrays, KerasModel, keras_capture
from neuralpedal.train.importing.model_path import CHECKPOINT, METADATA

KIND = "keras saved_model"
_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
_READER_ERRORS = (tf.errors.OpError, ValueError, TypeError, RuntimeError, IndexError, OSError, MemoryError)
"""What TensorFlow's reader raises, depending on where a checkpoint is damaged."""


def read_saved_model(path: Path, options: ImportOptions) -> Capture:
    """See ``read_keras_file``, which takes the same layers.

    Raises:
        ModelFileError: files missing, damaged or of an older TensorFlow; a network that cannot be imported.
        SpecError: knobs without a setting.
    """
    return keras_capture(path, KIND, in_bounded_time(path, lambda: _read(path)), options)


def _read(path: Path) -> KerasModel:
    config, arrays = _described(path), _Checkpoint(path).layers()
    nodes = [node for node in config["config"]["layers"].items() if node["class_name"].text() not in SILENT]
    names = [node["config"]["name"].text() for node in nodes]
    return KerasModel(config, dict(zip(names, arrays, strict=False)), by_name=True)


def _described(path: Path) -> JsonNode:
    """What Keras says of the whole model."""
    if not (path / METADATA).is_file():
        raise ModelFileError(f"{path}: lacks {METADATA}, which Keras 2 of TensorFlow 2.5 and later writes; open it in "
                             "the Keras that wrote it and save it as .h5")
    metadata = _metadata_class()()
    try:
        metadata.ParseFromString(read_bounded(path / METADATA, LARGEST_BYTES))
    except message.DecodeError as error:
        raise ModelFileError(f"{path}: its {METADATA} cannot be read; copy or download the folder again") from error
    root = next((node.metadata for node in metadata.nodes if node.path == b"root"), None)
    if root is None:
        raise ModelFileError(f"{path}: its {METADATA} describes no model; copy or download the folder again")
    return JsonNode(path, parse_json(path, root, METADATA).value)


def _metadata_class() -> Any:
    """The message of ``keras_metadata.pb``, as far as it is read; texts as bytes, so that bad ones are our refusal."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="neuralpedal/keras_metadata.proto", package="neuralpedal")
    node = file.message_type.add(name="Node")
    for number, name in ((3, "path"), (5, "metadata")):
        node.field.add(name=name, number=number, type=kinds.TYPE_BYTES, label=kinds.LABEL_OPTIONAL)
    metadata = file.message_type.add(name="Metadata")
    metadata.field.add(name="nodes", number=1, type=kinds.TYPE_MESSAGE, label=kinds.LABEL_REPEATED,
                       type_name=".neuralpedal.Node")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("neuralpedal.Metadata"))


class _Checkpoint:
    """The arrays of a SavedModel. Only for a process that may die: TensorFlow ends some damaged ones by aborting.

    Raises:
        ModelFileError: no checkpoint that can be read.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._left = path, LARGEST_BYTES
        index, shards = Path(f"{path / CHECKPOINT}.index"), list(path.glob(f"{CHECKPOINT}.data-*"))
        if not index.is_file() or not shards:
            raise ModelFileError(f"{path}: lacks {CHECKPOINT}.{'data' if index.is_file() else 'index'}; copy or "
                                 "download the whole folder")
        try:
            self._reader = tf.train.load_checkpoint(str(path / CHECKPOINT))
            self._shapes = self._reader.get_variable_to_shape_map()
            self._dtypes = self._reader.get_variable_to_dtype_map()
        except _READER_ERRORS as error:
            raise self._damaged(error) from error
        self._objects = TrackableObjectGraph()
        if self._shapes.get(_OBJECTS) != []:
            raise ModelFileError(f"{path}: its checkpoint does not say which layer has which array; save the model "
                                 "again")
        try:
            self._objects.ParseFromString(self._value(_OBJECTS))
        except message.DecodeError as error:
            raise self._damaged(error) from error

    def layers(self) -> list[Arrays]:
        """The arrays of every layer that has any, in order; of each in Keras's order."""
        root = self._children(0)
        found: list[Arrays] = []
        while f"layer_with_weights-{len(found)}" in root:
            layer = self._children(root[f"layer_with_weights-{len(found)}"])
            arrays = self._children(layer["variables"]) if "variables" in layer else {}
            found.append([self._array(arrays[str(place)]) for place in range(len(arrays)) if str(place) in arrays])
        return found

    def _node(self, index: int) -> Any:
        if not 0 <= index < len(self._objects.nodes):
            raise self._damaged(f"it names object {index} of {len(self._objects.nodes)}")
        return self._objects.nodes[index]

    def _children(self, index: int) -> dict[str, int]:
        return {child.local_name: child.node_id for child in self._node(index).children}

    def _array(self, index: int) -> np.ndarray:
        key = next((found.checkpoint_key for found in self._node(index).attributes), "")
        shape = self._shapes.get(key)
        if shape is None:
            raise self._damaged(f"it holds no {key[:80] or 'array'}")
        if not (self._dtypes[key].is_floating or self._dtypes[key].is_integer):
            raise ModelFileError(f"{self._path}: {key[:80]} is of type {self._dtypes[key].name}, wanted numbers")
        self._left -= 8 * math.prod(shape)
        if self._left < 0:
            raise ModelFileError(f"{self._path}: arrays of more than {LARGEST_BYTES} bytes, such as {key[:80]} of "
                                 f"shape {tuple(shape)}; no network that plays live is that large")
        return np.asarray(self._value(key), np.float64)

    def _value(self, key: str) -> Any:
        try:
            return self._reader.get_tensor(key)
        except _READER_ERRORS as error:
            raise self._damaged(error) from error

    def _damaged(self, reason: object) -> ModelFileError:
        said = " ".join(str(reason).split())[:200]
        return ModelFileError(f"{self._path}: its checkpoint cannot be read ({said}); copy the whole folder again")
