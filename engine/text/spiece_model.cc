// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/spiece_model.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "engine/text/wire_reader.h"

namespace longtake {

namespace {

constexpr size_t kFileBytesMax = size_t{64} << 20;
constexpr int32_t kExtraIdsMax = 65536;

// The values of SentencePiece.Type.
enum class PieceType : int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

struct RawPiece {
  std::string_view text;
  float score = 0;
  PieceType type = PieceType::kNormal;
};

struct RawModel {
  std::vector<RawPiece> pieces;
  int32_t model_type = 1;
  bool byte_fallback = false;
  std::string eos_piece = "</s>";
  std::string_view charsmap;
  SpieceNormalizer normalizer;
};

absl::Status ParsePiece(std::string_view bytes, RawModel& model) {
  const std::string name = "spiece.model: piece " + std::to_string(model.pieces.size());
  if (model.pieces.size() == kPiecesMax) {
    return absl::InvalidArgumentError("spiece.model: more than " + std::to_string(kPiecesMax) +
                                      " pieces");
  }
  RawPiece piece;
  WireReader reader(bytes, name);
  while (true) {
    LT_ASSIGN_OR_RETURN(const std::optional<WireField> field, reader.Next());
    if (!field) break;
    switch (field->number) {
      case 1:
        LT_RETURN_IF_ERROR(reader.Expect(*field, WireType::kBytes));
        piece.text = field->bytes;
        break;
      case 2:
        LT_RETURN_IF_ERROR(reader.Expect(*field, WireType::kFixed32));
        piece.score = field->AsFloat();
        break;
      case 3:
        LT_RETURN_IF_ERROR(reader.Expect(*field, WireType::kVarint));
        if (field->bits < 1 || field->bits > 6) {
          return absl::InvalidArgumentError(name + ": unknown piece type");
        }
        piece.type = static_cast<PieceType>(field->AsInt32());
        break;
      default:
        break;
    }
  }
  model.pieces.push_back(piece);
  return absl::OkStatus();
}

absl::Status ParseTrainerSpec(std::string_view bytes, RawModel& model) {
  WireReader reader(bytes, "spiece.model: trainer_spec");
  while (true) {
    LT_ASSIGN_OR_RETURN(const std::optional<WireField> field, reader.Next());
    if (!field) return absl::OkStatus();
    switch (field->number) {
      case 3:
        LT_RETURN_IF_ERROR(reader.Expect(*field, WireType::kVarint));
        model.model_type = field->AsInt32();
        break;
      case 24:
        LT_RETURN_IF_ERROR(reader.Expect(*field, WireType::kVarint));
        model.normalizer.whitespace_as_suffix = field->bits != 0;
        break;
      case 35:
        LT_RETURN_IF_ERROR(reader.Expect(*field, WireType::kVarint));
        model.byte_fallback = field->bits != 0;
        break;
      case 47:
        LT_RETURN_IF_ERROR(reader.Expect(*field, WireType::kBytes));
        model.eos_piece = std::string(field->bytes);
        break;
      default:
        break;
    }
  }
}

absl::Status ParseNormalizerSpec(std::string_view bytes, RawModel& model) {
  WireReader reader(bytes, "spiece.model: normalizer_spec");
  while (true) {
    LT_ASSIGN_OR_RETURN(const std::optional<WireField> field, reader.Next());
    if (!field) return absl::OkStatus();
    if (field->number == 2) {
      LT_RETURN_IF_ERROR(reader.Expect(*field, WireType::kBytes));
      model.charsmap = field->bytes;
    }
    bool* flag = nullptr;
    if (field->number == 3) flag = &model.normalizer.add_dummy_prefix;
    if (field->number == 4) flag = &model.normalizer.remove_extra_whitespaces;
    if (field->number == 5) flag = &model.normalizer.escape_whitespaces;
    if (flag == nullptr) continue;
    LT_RETURN_IF_ERROR(reader.Expect(*field, WireType::kVarint));
    *flag = field->bits != 0;
  }
}

absl::StatusOr<RawModel> ParseModel(std::string_view bytes) {
  if (bytes.size() > kFileBytesMax) {
    return absl::InvalidArgumentError("spiece.model: " + std::to_string(bytes.size()) +
                                      " bytes, more than " + std::to_string(kFileBytesMax));
  }
  RawModel model;
  WireReader reader(bytes, "spiece.model");
  while (true) {
    LT_ASSIGN_OR_RETURN(const std::optional<WireField> field, reader.Next());
    if (!field) return model;
    if (field->number < 1 || field->number > 3) continue;
    LT_RETURN_IF_ERROR(reader.Expect(*field, WireType::kBytes));
    if (field->number == 1) LT_RETURN_IF_ERROR(ParsePiece(field->bytes, model));
    if (field->number == 2) LT_RETURN_IF_ERROR(ParseTrainerSpec(field->bytes, model));
    if (field->number == 3) LT_RETURN_IF_ERROR(ParseNormalizerSpec(field->bytes, model));
  }
}

// "<0x0A>" -> 10.
std::optional<uint8_t> ByteOf(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text.back() != '>') return std::nullopt;
  uint8_t value = 0;
  const char* end = text.data() + 5;
  const auto [stop, error] = std::from_chars(text.data() + 3, end, value, 16);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

absl::Status FillPieces(const RawModel& model, TokenizerSpec& spec) {
  double low = std::numeric_limits<double>::max();
  bool any_normal = false;
  for (const RawPiece& piece : model.pieces) {
    if (piece.type != PieceType::kNormal) continue;
    low = std::min<double>(low, piece.score);
    any_normal = true;
  }
  if (!any_normal) return absl::InvalidArgumentError("spiece.model: there is no normal piece");
  spec.unigram.score_min = low;
  spec.unigram.byte_fallback = model.byte_fallback;
  spec.unigram.byte_ids.fill(-1);
  for (const RawPiece& raw : model.pieces) {
    const auto id = static_cast<int32_t>(spec.unigram.pieces.size());
    const std::string name = "spiece.model: piece " + std::to_string(id);
    UnigramPiece piece{std::string(raw.text), raw.score, false};
    if (raw.type == PieceType::kNormal) piece.found_in_text = true;
    if (raw.type == PieceType::kUserDefined) {
      // SentencePiece's bonus that makes such a piece win over other cuts of the same bytes (0.2.x;
      // older releases gave less for long pieces, which matters only where two such pieces
      // overlap).
      piece.found_in_text = true;
      piece.score = 0.1 * (static_cast<double>(raw.text.size()) - 1);
    }
    if (raw.type == PieceType::kUnknown) {
      if (spec.unigram.unknown_id >= 0) {
        return absl::InvalidArgumentError(name + " is a second unknown piece");
      }
      spec.unigram.unknown_id = id;
    }
    if (raw.type == PieceType::kByte) {
      const std::optional<uint8_t> byte = ByteOf(raw.text);
      if (!byte) return absl::InvalidArgumentError(name + " is no byte piece like <0x0A>");
      spec.unigram.byte_ids[*byte] = id;
    }
    spec.unigram.pieces.push_back(std::move(piece));
  }
  if (spec.unigram.unknown_id < 0) {
    return absl::InvalidArgumentError("spiece.model: there is no unknown piece");
  }
  const auto missing = std::find(spec.unigram.byte_ids.begin(), spec.unigram.byte_ids.end(), -1);
  if (model.byte_fallback && missing != spec.unigram.byte_ids.end()) {
    return absl::InvalidArgumentError(
        "spiece.model: byte_fallback is on, but there is no piece for byte " +
        std::to_string(missing - spec.unigram.byte_ids.begin()));
  }
  return absl::OkStatus();
}

absl::Status FillSpecials(const RawModel& model, const SpieceOptions& options,
                          TokenizerSpec& spec) {
  spec.eos_id = -1;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const RawPiece& piece = model.pieces[id];
    if (piece.type != PieceType::kControl) continue;
    if (piece.text == model.eos_piece) spec.eos_id = static_cast<int32_t>(id);
    if (!options.match_control_pieces) continue;
    spec.specials.push_back({std::string(piece.text), static_cast<int32_t>(id)});
  }
  if (spec.eos_id < 0) {
    return absl::InvalidArgumentError("spiece.model: there is no control piece " + model.eos_piece);
  }
  if (options.extra_ids < 0 || options.extra_ids > kExtraIdsMax) {
    return absl::InvalidArgumentError("extra_ids is " + std::to_string(options.extra_ids) +
                                      "; 0 to " + std::to_string(kExtraIdsMax) + " are supported");
  }
  const auto last = static_cast<int32_t>(model.pieces.size()) + options.extra_ids - 1;
  for (int32_t i = 0; i < options.extra_ids; ++i) {
    spec.specials.push_back({"<extra_id_" + std::to_string(i) + ">", last - i});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TokenizerSpec> ParseSpiece(std::string_view bytes, const SpieceOptions& options) {
  LT_ASSIGN_OR_RETURN(RawModel model, ParseModel(bytes));
  if (model.model_type != 1) {
    return absl::UnimplementedError("spiece.model: model_type " + std::to_string(model.model_type) +
                                    " is not supported, only Unigram (1)");
  }
  TokenizerSpec spec;
  LT_RETURN_IF_ERROR(FillPieces(model, spec));
  LT_RETURN_IF_ERROR(FillSpecials(model, options, spec));
  absl::StatusOr<Charsmap> charsmap = Charsmap::Parse(model.charsmap);
  if (!charsmap.ok()) return Annotate(charsmap.status(), "spiece.model: normalizer_spec");
  model.normalizer.charsmap = *std::move(charsmap);
  std::vector<PieceIndex::Piece> user_defined;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    if (model.pieces[id].type != PieceType::kUserDefined) continue;
    user_defined.push_back({model.pieces[id].text, static_cast<int32_t>(id)});
  }
  absl::StatusOr<PieceIndex> index = PieceIndex::Create(std::move(user_defined));
  if (!index.ok()) return Annotate(index.status(), "spiece.model");
  model.normalizer.user_defined = *std::move(index);
  spec.normalizer.emplace_back(std::move(model.normalizer));
  return spec;
}

}  // namespace longtake
