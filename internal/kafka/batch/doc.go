// Package batch reads, patches and builds Kafka's record batch, version 2. All integers are big-endian:
//
//	 0 base offset     int64      | not under the CRC: the leader
//	 8 length          int32      | writes the offset and its epoch
//	12 leader epoch    int32      | into the producer's bytes
//	16 magic           int8  = 2  |
//	17 crc             uint32       CRC-32C of everything from 21 on
//	21 attributes      int16        0-2 codec, 3 LogAppendTime, 4 transactional, 5 control, 6 delete horizon
//	23 last offset delta int32
//	27 base timestamp  int64        the delete horizon, if bit 6 says so
//	35 max timestamp   int64
//	43 producer id     int64        -1: none
//	51 producer epoch  int16
//	53 base sequence   int32
//	57 records count   int32
//	61 records                      compressed as one block, if at all
//
// The length counts what follows it, so a batch is 12 bytes longer than it says.
//
// On the way from a producer to the disk and to a consumer a batch is opaque: ParseHeader, CheckCRC and the setters
// are all that touches it. Records are decoded only where something must look inside.
package batch
