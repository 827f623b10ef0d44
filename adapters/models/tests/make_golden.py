#!/usr/bin/env python3
"""Fills golden.json: for each of its texts, what all-MiniLM-L6-v2 with its fp32 weights says of it.

A new text is added to the file as {"text": "…"}; this adds the count of its tokens and its vector (384 f32,
little endian, in base64).

    pip install numpy tokenizers==0.23.3
    python make_golden.py path/to/models/all-MiniLM-L6-v2     # where the set-up has put it, below its cache

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


def main(model):
    weights = read_safetensors(model / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    texts = [row["text"] for row in json.loads(GOLDEN.read_text())]
    golden = []
    for text in texts:
        ids = tokenizer.encode(text).ids
        vector = forward(weights, ids)
        encoded = base64.b64encode(vector.astype("<f4").tobytes()).decode()
        golden.append({"text": text, "tokens": len(ids), "vector": encoded})
        print(f"{len(ids):4} tokens  {text[:60]!r}", file=sys.stderr)
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in golden)
    GOLDEN.write_text(f"[\n{rows}\n]\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
