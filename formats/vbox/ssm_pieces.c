/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding and unpacking the pieces of a payload, one by one. */
#include "vbox/ssm_pieces.h"

#include "error.h"
#include "vbox/lzf.h"
#include "vbox/ssm_parts.h"

#include <string.h>

/*
 * One piece.
 */
/* A record of 2.0. */
static int find_record(struct gim_window *window, uint64_t at, struct ssm_piece *piece, struct gim_error *error)
{
	const uint8_t *bytes;
	size_t got;
	struct ssm_record record;
	int result = gim_window_peek(window, at, SSM_RECORD_HEAD_MAX + 1, &bytes, &got, error);
	if (!result)
		result = ssm_record_parse(bytes, got < SSM_RECORD_HEAD_MAX ? got : SSM_RECORD_HEAD_MAX, at, &record, error);
	if (result)
		return result;
	*piece = (struct ssm_piece){.at = at, .data = at + record.head, .next = at + record.head + record.size, .size = record.size};
	const unsigned type = record.lead & 0xf;
	if (type == SSM_TERMINATOR_RECORD) {
		piece->size = 0;
		if (record.size != SSM_TERMINATOR_BYTES - 2)
			return ssm_fail(error, SSM_TERMINATOR, at, "a terminator of %u bytes, where %d are expected", record.size,
			                SSM_TERMINATOR_BYTES - 2);
		return 0;
	}
	if (type == SSM_NAMED)
		return ssm_fail(error, SSM_RECORD_NAMED, at, "a named record: no release writes or reads them");
	piece->kind = type == SSM_RAW ? SSM_PIECE_RAW : type == SSM_LZF ? SSM_PIECE_PACKED : SSM_PIECE_ZERO;
	if (type == SSM_RAW)
		return 0;
	const bool zero = type == SSM_ZERO;
	if (got <= record.head)
		return ssm_fail(error, SSM_END_OF_FILE, at + got, "the file ends within a record");
	piece->size = (uint64_t)bytes[record.head] * 1024;
	piece->data++;
	if (record.size < (zero ? 1 : 2) || record.size > (zero ? 1 : 4098) || piece->size > 4096 ||
	    (!zero && piece->size < record.size - 1))
		return ssm_fail(error, SSM_UNPACK, at, "a record of %u bytes that would expand to %u", record.size, (unsigned)piece->size);
	return 0;
}

/* A block of 1.x. */
static int find_block(struct gim_window *window, uint64_t at, struct ssm_piece *piece, struct gim_error *error)
{
	const uint8_t *bytes;
	size_t got;
	int result = gim_window_peek(window, at, SSM1_BLOCK_HEADER_BYTES, &bytes, &got, error);
	if (result)
		return result;
	if (got < SSM1_BLOCK_HEADER_BYTES)
		return ssm_fail(error, SSM1_DATA, at, "the file ends within a block's header");
	uint32_t packed, unpacked;
	result = ssm_v1_block(bytes, at, &packed, &unpacked, error);
	*piece = (struct ssm_piece){.kind = SSM_PIECE_PACKED,
	                            .at = at,
	                            .data = at + SSM1_BLOCK_HEADER_BYTES,
	                            .next = at + SSM1_BLOCK_HEADER_BYTES + packed,
	                            .size = unpacked};
	return result;
}

static int find_piece(enum ssm_version version, struct gim_window *window, uint64_t at, struct ssm_piece *piece, struct gim_error *error)
{
	return version == SSM_V2_0 ? find_record(window, at, piece, error) : find_block(window, at, piece, error);
}

/* Expand a packed piece. */
static int unpack(struct gim_window *window, const struct ssm_piece *piece, uint8_t *to, struct gim_error *error)
{
	const uint8_t *bytes;
	const size_t size = (size_t)(piece->next - piece->data);
	size_t got;
	int result = gim_window_peek(window, piece->data, size, &bytes, &got, error);
	if (result)
		return result;
	if (got < size)
		return ssm_fail(error, SSM_END_OF_FILE, piece->data + got, "the file ends within packed data");
	if (!gim_lzf_decode(bytes, size, to, (size_t)piece->size))
		return ssm_fail(error, SSM_UNPACK, piece->at, "LZF data that does not expand to %u bytes", (unsigned)piece->size);
	return 0;
}

static int read_stored(struct gim_window *window, uint64_t at, uint8_t *to, size_t size, struct gim_error *error)
{
	const uint8_t *bytes;
	size_t got;
	int result = gim_window_peek(window, at, size, &bytes, &got, error);
	if (result)
		return result;
	if (got < size)
		return ssm_fail(error, SSM_END_OF_FILE, at + got, "the file ends within a record");
	memcpy(to, bytes, size);
	return 0;
}

/*
 * Walking.
 */
int ssm_pieces_begin(struct ssm_pieces *pieces, const struct ssm_stream *stream, struct gim_window *window, uint8_t *block,
                     struct gim_error *error)
{
	uint8_t method;
	*pieces = (struct ssm_pieces){.window = window, .version = stream->header.version, .block = block};
	pieces->piece = (struct ssm_piece){.kind = SSM_PIECE_RAW, .next = stream->data_offset};
	if (pieces->version == SSM_V2_0)
		return 0;
	pieces->unit_end = stream->unit_end;
	if (stream->data_offset == stream->unit_end)
		return 0;
	int result = read_stored(window, stream->data_offset, &method, 1, error);
	if (result)
		return result;
	pieces->piece.next++;
	if (method == SSM1_STORE)
		pieces->piece = (struct ssm_piece){.kind = SSM_PIECE_RAW,
		                                   .at = pieces->piece.next,
		                                   .data = pieces->piece.next,
		                                   .next = stream->unit_end,
		                                   .size = stream->unit_end - pieces->piece.next};
	else if (method != SSM1_LZF)
		return gim_fail(error, GIM_E_UNSUPPORTED, stream->data_offset,
		                "the unit is compressed by method %u, in which no place can be reached without all before it", method);
	return 0;
}

static int next_piece(struct ssm_pieces *pieces, struct gim_error *error)
{
	struct ssm_piece next = {.kind = SSM_PIECE_END, .at = pieces->piece.next, .next = pieces->piece.next};
	int result = 0;
	if (pieces->piece.kind == SSM_PIECE_END)
		return 0;
	if (pieces->version == SSM_V2_0 || next.at < pieces->unit_end)
		result = find_piece(pieces->version, pieces->window, next.at, &next, error);
	if (!result && pieces->version != SSM_V2_0 && next.next > pieces->unit_end)
		result = ssm_fail(error, SSM1_DATA, next.at, "the unit ends within a block");
	if (!result && next.next > pieces->window->input->size)
		result = ssm_fail(error, SSM_END_OF_FILE, pieces->window->input->size, "the file ends within a record");
	if (result)
		return result;
	pieces->piece = next;
	pieces->used = 0;
	pieces->unpacked = false;
	return 0;
}

/* Have bytes to take, unless it is the end. */
static int have_piece(struct ssm_pieces *pieces, struct gim_error *error)
{
	int result = 0;
	while (!result && pieces->used == pieces->piece.size && pieces->piece.kind != SSM_PIECE_END)
		result = next_piece(pieces, error);
	return result;
}

int ssm_pieces_take(struct ssm_pieces *pieces, void *bytes, size_t size, size_t *got, struct gim_error *error)
{
	enum { STEP = 64 * 1024 };
	uint8_t *to = (uint8_t *)bytes;
	int result = 0;
	*got = 0;
	while (!result && *got < size) {
		result = have_piece(pieces, error);
		const struct ssm_piece *piece = &pieces->piece;
		if (result || piece->kind == SSM_PIECE_END)
			break;
		size_t step = size - *got;
		step = step < piece->size - pieces->used ? step : (size_t)(piece->size - pieces->used);
		step = step < STEP ? step : STEP;
		if (piece->kind == SSM_PIECE_RAW) {
			result = read_stored(pieces->window, piece->data + pieces->used, to, step, error);
		} else if (piece->kind == SSM_PIECE_ZERO) {
			memset(to, 0, step);
		} else {
			if (!pieces->unpacked)
				result = unpack(pieces->window, piece, pieces->block, error);
			pieces->unpacked = !result;
			if (!result)
				memcpy(to, pieces->block + pieces->used, step);
		}
		if (!result) {
			pieces->used += step;
			pieces->payload_bytes += step;
			*got += step;
			to += step;
		}
	}
	return result;
}

int ssm_pieces_page(struct ssm_pieces *pieces, struct ssm_place *place, struct gim_error *error)
{
	int result = have_piece(pieces, error);
	const struct ssm_piece *piece = &pieces->piece;
	const uint64_t used = pieces->used, left = piece->size - used;
	if (left < GIM_PAGE_BYTES)
		*place = (struct ssm_place){.form = SSM_PLACE_WITHIN, .at = piece->at, .skip = (uint32_t)used};
	else if (piece->kind == SSM_PIECE_RAW)
		*place = (struct ssm_place){.form = SSM_PLACE_STORED, .at = piece->data + used};
	else if (piece->kind == SSM_PIECE_ZERO)
		*place = (struct ssm_place){.form = SSM_PLACE_ZERO};
	else
		*place = (struct ssm_place){
		    .form = piece->size == GIM_PAGE_BYTES ? SSM_PLACE_PIECE : SSM_PLACE_WITHIN, .at = piece->at, .skip = (uint32_t)used};
	uint32_t missing = GIM_PAGE_BYTES;
	while (!result && missing) {
		result = have_piece(pieces, error);
		const uint64_t more = piece->size - pieces->used;
		if (!result && piece->kind == SSM_PIECE_END)
			result = gim_fail(error, GIM_E_TRUNCATED, piece->at, "the unit ends within a page");
		const uint32_t step = missing < more ? missing : (uint32_t)more;
		pieces->used += step;
		pieces->payload_bytes += step;
		missing -= step;
	}
	return result;
}

int ssm_pieces_skip(struct ssm_pieces *pieces, uint64_t *end, struct gim_error *error)
{
	int result = 0;
	while (!result && pieces->piece.kind != SSM_PIECE_END)
		result = next_piece(pieces, error);
	if (!result)
		*end = pieces->piece.next;
	return result;
}

/*
 * Reading again.
 */
static int read_within(enum ssm_version version, struct gim_window *window, const struct ssm_place *place, uint8_t *scratch, uint8_t *page,
                       struct gim_error *error)
{
	uint64_t at = place->at, skip = place->skip;
	size_t done = 0;
	int result = 0;
	while (!result && done < GIM_PAGE_BYTES) {
		struct ssm_piece piece;
		result = find_piece(version, window, at, &piece, error);
		if (!result && piece.kind == SSM_PIECE_END)
			result = gim_fail(error, GIM_E_TRUNCATED, at, "the unit ends within a page");
		if (result)
			break;
		const uint64_t from = skip < piece.size ? skip : piece.size, left = piece.size - from;
		const size_t step = GIM_PAGE_BYTES - done < left ? GIM_PAGE_BYTES - done : (size_t)left;
		if (step && piece.kind == SSM_PIECE_RAW)
			result = read_stored(window, piece.data + from, page + done, step, error);
		else if (step && piece.kind == SSM_PIECE_ZERO)
			memset(page + done, 0, step);
		else if (step && !(result = unpack(window, &piece, scratch, error)))
			memcpy(page + done, scratch + from, step);
		done += step;
		skip -= from;
		at = piece.next;
	}
	return result;
}

int ssm_place_read(enum ssm_version version, struct gim_window *window, const struct ssm_place *place, uint8_t *scratch, uint8_t *page,
                   struct gim_error *error)
{
	struct ssm_piece piece;
	int result;
	switch (place->form) {
	case SSM_PLACE_ZERO:
		memset(page, 0, GIM_PAGE_BYTES);
		return 0;
	case SSM_PLACE_STORED:
		return read_stored(window, place->at, page, GIM_PAGE_BYTES, error);
	case SSM_PLACE_WITHIN:
		return read_within(version, window, place, scratch, page, error);
	default:
		result = find_piece(version, window, place->at, &piece, error);
		if (!result && (piece.kind != SSM_PIECE_PACKED || piece.size != GIM_PAGE_BYTES))
			result = gim_fail(error, GIM_E_CORRUPT, place->at, "the file has changed since its memory was looked through");
		return result ? result : unpack(window, &piece, page, error);
	}
}
