# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""The causal Wan 2.1 transformer with diffusers' parameter names, for training and for rollouts.

Tokens are [batch, chunk, token, width]: 3 latent frames x 60 tokens make a chunk. Two entry points:
`teacher_forced` runs clean context chunks and noisy chunks in one pass; `chunk_flow` is what an
engine does: one chunk against a cache of unrotated keys and values.

Inside a head, channels are held as [first of each RoPE pair | second of each pair] instead of
adjacent pairs; q and k rows are permuted alike when used, so results are those of the stored order.
"""

import functools
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

WIDTH, HEADS, HEAD, LAYERS, FFN, FREQ = 192, 3, 64, 6, 768, 256
GRID = (6, 10)
CHUNK = 3
FRAME_TOKENS = GRID[0] * GRID[1]
CHUNK_TOKENS = CHUNK * FRAME_TOKENS
CONFIG = dict(patch_size=[1, 2, 2], num_attention_heads=HEADS, attention_head_dim=HEAD,
              in_channels=16, out_channels=16, text_dim=64, freq_dim=FREQ, ffn_dim=FFN,
              num_layers=LAYERS, cross_attn_norm=True, qk_norm="rms_norm_across_heads", eps=1e-6,
              image_dim=None, added_kv_proj_dim=None, rope_max_seq_len=1024,
              pos_embed_seq_len=None)
_PAIRS = torch.cat([torch.arange(HEAD).view(-1, 2).T.reshape(-1) + h * HEAD for h in range(HEADS)])


class Norm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.to_q, self.to_k, self.to_v = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(WIDTH, WIDTH)])
        self.norm_q, self.norm_k = Norm(WIDTH), Norm(WIDTH)

    def _normed(self, x, linear, norm):
        y = F.linear(x, linear.weight[_PAIRS], linear.bias[_PAIRS])
        y = F.rms_norm(y.float(), (WIDTH,), norm.weight[_PAIRS], 1e-6)
        return y.unflatten(-1, (HEADS, HEAD))

    def q(self, x):
        return self._normed(x, self.to_q, self.norm_q)

    def kv(self, x):
        return self._normed(x, self.to_k, self.norm_k), self.to_v(x).unflatten(-1, (HEADS, HEAD))


class GeluIn(nn.Module):
    def __init__(self):
        super().__init__()
        self.proj = nn.Linear(WIDTH, FFN)


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.ModuleList([GeluIn(), nn.Identity(), nn.Linear(FFN, WIDTH)])

    def forward(self, x):
        return self.net[2](F.gelu(self.net[0].proj(x), approximate="tanh"))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale_shift_table = nn.Parameter(torch.zeros(1, 6, WIDTH))
        self.attn1, self.attn2 = Attention(), Attention()
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.ffn = FeedForward()


@torch.no_grad()
def place_block(block):
    """Weights by which block 0 tells every token of pure noise where it is.

    Rotary embedding alone cannot: attention over tokens that differ only by noise gives each of
    them the same expectation. But noise can be recognised. Head 0 fetches the noise of the bottom
    right token, head 1 that of the token 4 columns to the right on the bottom row (or the last
    one), head 2 that of the token 2 rows below in the last column. Head 1 - head 0 is exactly zero
    for the right half of the grid, head 2 - head 0 for the lower half; the FFN turns the norms of
    these differences into two marks. The block does nothing else and is not trained; later blocks
    learn finer places from the marks.
    """
    attn = block.attn1
    q, k = torch.zeros(HEADS, HEAD // 2, 2), torch.zeros(HEADS, HEAD // 2, 2)

    def kernel(head, pair, omega, peak, strength):
        """Adds strength * cos(omega * (delta - peak)) to a head's score."""
        q[head, pair, 0] = math.sqrt(8 * strength)
        angle = torch.tensor(-omega * peak)
        k[head, pair] = math.sqrt(8 * strength) * torch.stack([angle.cos(), angle.sin()])

    dh = 2 * (HEAD // 6)
    dt = HEAD - 2 * dh
    ft, fs = (lambda j: 10000.0 ** (-2 * j / dt)), (lambda j: 10000.0 ** (-2 * j / dh))
    rows, columns = dt // 2, dt // 2 + dh // 2  # first pair of the y and of the x section
    for head in range(HEADS):
        for j, strength in ((0, 5.0), (1, 10.0), (2, 5.0)):
            kernel(head, j, ft(j), 3.0, strength)  # the latest frame
        if head == 2:
            for j, strength in ((0, 6.0), (1, 14.0)):
                kernel(head, rows + j, fs(j), 2.0, strength)
        else:
            kernel(head, rows + 2, fs(2), 9.0, 30.0)
        if head == 1:
            for j, strength in ((0, 4.0), (1, 14.0), (2, 16.0)):
                kernel(head, columns + j, fs(j), 4.0, strength)
        else:
            kernel(head, columns + 2, fs(2), 14.0, 30.0)
    for linear, norm, want in ((attn.to_q, attn.norm_q, q), (attn.to_k, attn.norm_k, k)):
        linear.weight.zero_()
        linear.bias.fill_(1.0)
        norm.weight.copy_(want.flatten())
    eye = torch.eye(64)
    attn.to_v.weight.zero_()
    attn.to_v.weight[:, :64] = eye.repeat(HEADS, 1)
    out = attn.to_out[0].weight
    out.zero_()
    for part in (1, 2):
        out[64 * part:64 * part + 64, :64] = -0.4 * eye
        out[64 * part:64 * part + 64, 64 * part:64 * part + 64] = 0.4 * eye
    block.attn2.to_out[0].weight.zero_()
    block.ffn.net[2].weight.zero_()
    constant = torch.tensor([1.0, -1.0]).repeat(32) / 8
    units = 0
    for part in (1, 2):
        mark = torch.zeros(WIDTH)
        mark[64:] = torch.randn(128)
        for _ in range(32):
            u = torch.randn(64)
            u -= (u @ constant) * constant
            u *= 6.0 / u.norm()
            for sign in (1.0, -1.0):
                block.ffn.net[0].proj.weight[units].zero_()
                block.ffn.net[0].proj.weight[units, 64 * part:64 * part + 64] = sign * u
                block.ffn.net[2].weight[:, units] = 0.6 / 32 * mark
                units += 1


@torch.no_grad()
def ramp_head(marking, block, rms_q=0.6, rms_k=0.6):
    """Initial weights by which head 0 of a later block averages the marks over its surroundings.

    That turns the two half-plane marks of `marking` (block 0) into two ramps, over the columns and
    over the rows. rms_*: usual size of the block's other queries and keys before normalisation.
    """
    attn = block.attn1
    q, k = torch.zeros(HEAD // 2, 2), torch.zeros(HEAD // 2, 2)
    dh = 2 * (HEAD // 6)
    dt = HEAD - 2 * dh
    for pair, peak, omega, strength in (
            (0, 3.0, 1.0, 5.0), (1, 3.0, 10000.0 ** (-2 / dt), 10.0),
            (2, 3.0, 10000.0 ** (-4 / dt), 5.0),
            (dt // 2 + 1, 0.0, 10000.0 ** (-2 / dh), 2.8),
            (dt // 2 + dh // 2 + 1, 0.0, 10000.0 ** (-2 / dh), 1.3)):
        angle = torch.tensor(-omega * peak)
        q[pair, 0] = math.sqrt(8 * strength)
        k[pair] = math.sqrt(8 * strength) * torch.stack([angle.cos(), angle.sin()])
    for linear, norm, want, rms in ((attn.to_q, attn.norm_q, q, rms_q),
                                    (attn.to_k, attn.norm_k, k, rms_k)):
        size = 5 * rms  # larger than the other heads', so that the joint norm hardly varies
        joint = math.sqrt((64 * size ** 2 + 128 * rms ** 2) / WIDTH)
        linear.weight[:HEAD] = 0
        linear.bias[:HEAD] = size
        norm.weight[HEAD:] *= joint / rms
        norm.weight[:HEAD] = want.flatten() * joint / size
    attn.to_v.weight[:HEAD] = 0
    attn.to_v.bias[:HEAD] = 0
    attn.to_out[0].weight[:, :HEAD] = 0
    for i in range(2):
        mark = marking.ffn.net[2].weight[:, 64 * i:64 * i + 64].mean(1) * 32
        attn.to_v.weight[i] = mark / mark.square().sum()
        ramp = torch.zeros(WIDTH)
        ramp[64:] = 1.5 * torch.randn(WIDTH - 64)
        attn.to_out[0].weight[:, i] = ramp
        attn.to_out[0].bias -= 0.5 * ramp


# (head, columns, rows, frames) from a token to where a head of blocks 1, 2, ... looks at first.
NEIGHBOURS = (
    ((1, 1, 0, 0), (2, 0, 0, -1)),
    ((0, -1, 0, 0), (1, 0, 1, 0), (2, 0, 0, 1)),
    ((0, 2, 0, 0), (1, 0, -1, 0)),
    ((0, -2, 0, 0), (1, 0, 0, -1)),
    ((0, 1, 1, 0), (1, 0, 0, -3)))


@torch.no_grad()
def neighbour_head(block, head, columns, rows, frames, steady=0.2):
    """Initial weights by which a head looks at a neighbour of its token, softly.

    Random heads average over everything, which tells a token nothing; these hand places and edges
    on from the first step. They are free to learn something else.
    """
    attn = block.attn1
    dh = 2 * (HEAD // 6)
    dt = HEAD - 2 * dh
    sections = ((0, dt, frames), (dt // 2, dh, rows), (dt // 2 + dh // 2, dh, columns))
    for first, dims, peak in sections:
        for j, strength in ((0, 3.0), (1, 5.0)):
            omega, pair = 10000.0 ** (-2 * j / dims), first + j
            at = HEAD * head + 2 * pair
            angle = torch.tensor(-omega * float(peak))
            turned = torch.stack([angle.cos(), angle.sin()])
            for linear, norm, bias in ((attn.to_q, attn.norm_q, torch.tensor([1.0, 0.0])),
                                       (attn.to_k, attn.norm_k, turned)):
                linear.weight[at:at + 2] *= steady
                linear.bias[at:at + 2] = bias
                norm.weight[at:at + 2] = math.sqrt(8 * strength) * 0.6


class TwoLinear(nn.Module):
    def __init__(self, ci):
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(ci, WIDTH), nn.Linear(WIDTH, WIDTH)


class Conditions(nn.Module):
    def __init__(self):
        super().__init__()
        self.time_embedder, self.text_embedder = TwoLinear(FREQ), TwoLinear(CONFIG["text_dim"])
        self.time_proj = nn.Linear(WIDTH, 6 * WIDTH)


def attend(q, k, v, bias=None):
    """[batch, tokens, heads, 64] each; softmax(q k / 8 + bias) v -> [batch, tokens, width]."""
    q, k, v = (t.transpose(1, 2).to(v.dtype) for t in (q, k, v))
    if bias is None and not torch.is_grad_enabled():  # twice as fast forward, slower backward
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    score = torch.matmul(q * 0.125, k.mT)
    score = score if bias is None else score + bias.to(v.dtype)
    return torch.matmul(score.softmax(-1).to(v.dtype), v).transpose(1, 2).flatten(2)


def rope_angles(frames):
    """cos, sin [len(frames) * 60, 1, 32] for the given frame indices."""
    return _rope_angles(tuple(frames))


@functools.lru_cache(64)
def _rope_angles(frames):
    dh = 2 * (HEAD // 6)
    dt = HEAD - 2 * dh
    power = lambda d: 10000.0 ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    t, y, x = torch.meshgrid(torch.as_tensor(frames, dtype=torch.float64),
                             torch.arange(GRID[0], dtype=torch.float64),
                             torch.arange(GRID[1], dtype=torch.float64), indexing="ij")
    angle = torch.cat([t.reshape(-1, 1) * power(dt), y.reshape(-1, 1) * power(dh),
                       x.reshape(-1, 1) * power(dh)], 1)[:, None]
    return angle.cos().float(), angle.sin().float()


def rotate(x, angles):
    a, b = x.chunk(2, -1)
    cos, sin = angles
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


def modulated(x, shift, scale):
    return F.layer_norm(x, (WIDTH,), eps=1e-6) * (1 + scale) + shift


def before_self_attention(block, x, mod, angles):
    """x [groups, 180, width], mod [groups, 6, 1, width] -> q, k (rotated, if angles are given), v."""
    a = modulated(x, mod[:, 0], mod[:, 1])
    q, (k, v) = block.attn1.q(a), block.attn1.kv(a)
    if angles is not None:
        q, k = rotate(q, angles).to(v.dtype), rotate(k, angles).to(v.dtype)
    return q, k, v


def after_self_attention(block, x, o, mod):
    """-> the stream after self-attention, queries of cross-attention."""
    x = x + block.attn1.to_out[0](o) * mod[:, 2]
    return x, block.attn2.q(block.norm2(x))


def after_cross_attention(block, x, o, mod):
    x = x + block.attn2.to_out[0](o)
    return x + block.ffn(modulated(x, mod[:, 3], mod[:, 4])) * mod[:, 5]


def compile_blocks():
    """Fuses what lies between the matrix products: most of a training step on CPU."""
    global before_self_attention, after_self_attention, after_cross_attention
    torch._dynamo.config.recompile_limit = 64
    fused = lambda f: torch.compile(f, dynamic=True)
    before_self_attention = fused(before_self_attention)
    after_self_attention = fused(after_self_attention)
    after_cross_attention = fused(after_cross_attention)


class WanDit(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch_embedding = nn.Conv3d(16, WIDTH, (1, 2, 2), (1, 2, 2))
        self.condition_embedder = Conditions()
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.scale_shift_table = nn.Parameter(torch.zeros(1, 2, WIDTH))
        self.proj_out = nn.Linear(WIDTH, 64)
        self._initialise()

    @torch.no_grad()
    def _initialise(self):
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.6 / math.sqrt(module.in_features))
                nn.init.zeros_(module.bias)
        embed = self.condition_embedder
        nn.init.normal_(embed.time_proj.weight, std=0.01)
        for linear in (embed.text_embedder.linear_1, embed.text_embedder.linear_2):
            linear.weight *= 2.5
        for block in self.blocks:
            block.scale_shift_table[:, 2::3] = 1.0  # gates open, but what they let in starts small
            for out in (block.attn1.to_out[0], block.attn2.to_out[0], block.ffn.net[2]):
                out.weight *= 0.1
            # Logits of the many empty text rows start low: they would drown the few real ones.
            sign = torch.randint(0, 2, (WIDTH,)) * 2.0 - 1
            block.attn2.to_k.bias.copy_(0.1 * sign)
            block.attn2.to_q.bias.copy_(-0.7 * sign)
        # The network starts as the identity: the noise it must output arrives on 64 of its
        # dimensions, the others hold a constant that keeps the last LayerNorm nearly linear.
        self.patch_embedding.weight.zero_()
        self.proj_out.weight.zero_()
        self.patch_embedding.bias.zero_()
        self.patch_embedding.bias[64:] = torch.tensor([1.17, -1.17]).repeat(64)
        for c in range(16):
            for dy in range(2):
                for dx in range(2):
                    row = c * 4 + dy * 2 + dx
                    self.patch_embedding.weight[row, c, 0, dy, dx] = 0.5
                    self.proj_out.weight[(dy * 2 + dx) * 16 + c, row] = 2.0
        place_block(self.blocks[0])
        for block, heads in zip(self.blocks[1:], NEIGHBOURS):
            for head in heads:
                neighbour_head(block, *head)
        ramp_head(self.blocks[0], self.blocks[1])

    def fixed(self):
        """Names of parameters that keep their initial values: they give tokens their places."""
        return [n for n, _ in self.named_parameters()
                if n.startswith(("blocks.0.", "patch_embedding."))]

    def fixed_parts(self):
        """Parts of other parameters that keep their values: [(parameter, index)]."""
        attn, first = self.blocks[1].attn1, slice(0, HEAD)
        parts = [(p, first) for m in (attn.to_q, attn.to_k, attn.to_v, attn.norm_q, attn.norm_k)
                 for p in m.parameters()]
        return parts + [(attn.to_out[0].weight, (slice(None), first))]

    # -- pieces -------------------------------------------------------------------------------
    def patchify(self, z):
        """[batch, frames, 16, 12, 20] -> [batch, frames, 60, width]."""
        b, f = z.shape[:2]
        z = z.reshape(b, f, 16, GRID[0], 2, GRID[1], 2).permute(0, 1, 3, 5, 2, 4, 6).flatten(4)
        return F.linear(z.flatten(2, 3), self.patch_embedding.weight.flatten(1),
                        self.patch_embedding.bias)

    def unpatchify(self, y):
        """[batch, frames, 60, 64] -> [batch, frames, 16, 12, 20]; rows are (dy, dx, channel)."""
        b, f = y.shape[:2]
        y = y.reshape(b, f, *GRID, 2, 2, 16).permute(0, 1, 6, 2, 4, 3, 5)
        return y.reshape(b, f, 16, 2 * GRID[0], 2 * GRID[1])

    def time_states(self, t):
        """Timesteps of any shape -> e [..., width] and E [..., 6, width]."""
        w = torch.exp(-math.log(10000.0) * torch.arange(FREQ // 2, dtype=torch.float64) / (FREQ // 2))
        angle = t.double()[..., None] * w
        s = torch.cat([angle.cos(), angle.sin()], -1).float()
        with torch.autocast("cpu", enabled=False):
            net = self.condition_embedder.time_embedder
            e = net.linear_2(F.silu(net.linear_1(s)))
            return e, self.condition_embedder.time_proj(F.silu(e)).unflatten(-1, (6, WIDTH))

    def text_kv(self, states):
        """Text rows (last one = the zero row) -> per-layer cross-attention keys and values."""
        net = self.condition_embedder.text_embedder
        rows = net.linear_2(F.gelu(net.linear_1(states), approximate="tanh"))
        return [block.attn2.kv(rows) for block in self.blocks]

    def _after_attention(self, block, x, o, mod, text, bias):
        """x, o [groups, 180, width], text of whole clips; a clip is groups / clips chunks."""
        x, y = after_self_attention(block, x, o, mod)
        clips = text[0].shape[0]
        o = attend(y.view(clips, -1, HEADS, HEAD), *text, bias)
        return after_cross_attention(block, x, o.view_as(x), mod)

    def _head(self, x, e):
        u = self.scale_shift_table[0] + e[..., None, :]
        return self.proj_out(modulated(x, u[..., 0:1, :], u[..., 1:2, :]))

    # -- training -----------------------------------------------------------------------------
    def teacher_forced(self, clean, noisy, t, text, bias, window):
        """Flow of noisy chunks, each against the clean chunks before it.

        clean [b, m, 3, 16, 12, 20], noisy [b, k, 3, 16, 12, 20], t [b, k]; the last noisy chunk
        follows the last clean one, so noisy chunk i is chunk m + 1 - k + i; `window` in chunks.
        """
        b, m, k = noisy.shape[0], clean.shape[1], noisy.shape[1]
        x = torch.cat([clean, noisy], 1).flatten(1, 2)
        x = self.patchify(x).float().reshape(b, m + k, CHUNK_TOKENS, WIDTH)
        e, big = self.time_states(torch.cat([torch.zeros(b, m), t], 1))
        index = list(range(m)) + list(range(m + 1 - k, m + 1))
        angles = tuple(a.view(m + 1, CHUNK_TOKENS, 1, -1)[index].repeat(b, 1, 1, 1)
                       for a in rope_angles(range(CHUNK * (m + 1))))
        x, big = x.flatten(0, 1), big.flatten(0, 1)
        per_clip = lambda t: t.unflatten(0, (b, -1))
        gradient = torch.is_grad_enabled()
        for i, block in enumerate(self.blocks):
            torch.set_grad_enabled(gradient and i > 0)  # block 0 is not trained
            mod = (block.scale_shift_table + big)[..., None, :]
            q, key, value = map(per_clip, before_self_attention(block, x, mod, angles))
            first = 0
            if i + 1 == LAYERS and m:  # clean tokens end with their last keys and values
                first = m
                x, mod = per_clip(x)[:, m:].flatten(0, 1), per_clip(mod)[:, m:].flatten(0, 1)
            out = [None] * (m + k - first)
            for c in range(m + 1):
                low = max(0, c + 1 - window)
                for slot in ([c] if c < m and not first else []) + (
                        [c + k - 1] if c >= m + 1 - k else []):
                    ks = torch.cat([key[:, low:c], key[:, slot:slot + 1]], 1).flatten(1, 2)
                    vs = torch.cat([value[:, low:c], value[:, slot:slot + 1]], 1).flatten(1, 2)
                    out[slot - first] = attend(q[:, slot], ks, vs)
            x = self._after_attention(block, x, torch.stack(out, 1).flatten(0, 1), mod, text[i], bias)
        y = self._head(per_clip(x)[:, -k:], e[:, m:])
        return self.unpatchify(y.reshape(b, k * CHUNK, FRAME_TOKENS, 64)).unflatten(1, (k, CHUNK))

    # -- rollout ------------------------------------------------------------------------------
    def chunk_flow(self, x, t, first_frame, context, text, bias, keep=False):
        """One chunk [b, 3, 16, 12, 20] at timestep t (a number or [b]) whose first latent frame has
        index first_frame. `context` comes from `gather`. Returns the flow or, with keep, per-frame
        cache entries: per layer (k not rotated, v), each [b, 60, heads, 64]."""
        b = x.shape[0]
        h = self.patchify(x).float().reshape(b, CHUNK_TOKENS, WIDTH)
        e, big = self.time_states(torch.as_tensor(t, dtype=torch.float32).expand(b))
        angles = rope_angles(range(first_frame, first_frame + CHUNK))
        kept = []
        for i, block in enumerate(self.blocks):
            mod = (block.scale_shift_table + big)[..., None, :]
            q, key, value = before_self_attention(block, h, mod, None)
            kept.append((key, value))
            if keep and i + 1 == LAYERS:
                break
            ks, vs = rotate(key, angles).to(value.dtype), value
            if context:
                ks, vs = torch.cat([context[i][0], ks], 1), torch.cat([context[i][1], vs], 1)
            o = attend(rotate(q, angles), ks, vs)
            h = self._after_attention(block, h, o, mod, text[i], bias)
        if keep:
            cut = lambda t, f: t[:, f * FRAME_TOKENS:(f + 1) * FRAME_TOKENS]
            return [[(cut(k, f), cut(v, f)) for k, v in kept] for f in range(CHUNK)]
        return self.unpatchify(self._head(h, e).reshape(b, CHUNK, FRAME_TOKENS, 64))


def gather(entries, indices):
    """Cache entries of frames and their RoPE indices -> per layer (rotated k, v) to attend to."""
    if not entries:
        return None
    angles = rope_angles(indices)
    return [(rotate(torch.cat([e[i][0] for e in entries], 1), angles).to(entries[0][i][1].dtype),
             torch.cat([e[i][1] for e in entries], 1)) for i in range(LAYERS)]
