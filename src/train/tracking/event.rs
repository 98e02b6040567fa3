//! TensorBoard's event files: messages in protobuf's wire format, framed as TensorFlow records.
//!
//! Field numbers are those of TensorFlow's `event.proto` and `summary.proto`; fields that we do not write are omitted.

use crate::protobuf::Message;

/// One entry of an event file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    /// Seconds since 1970.
    pub wall_time: f64,
    pub step: i64,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    /// The first entry of every file.
    FileVersion,
    /// Says that what older files contain for this step and later ones is obsolete.
    Restart,
    Summary(Vec<Value>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Value {
    pub tag: String,
    pub shown: Shown,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shown {
    Scalar(f32),
    Image { height: u32, width: u32, png: Vec<u8> },
}

const FILE_VERSION: &str = "brain.Event:2";
/// `Summary.Image.colorspace` of RGB.
const RGB: u64 = 3;
/// `SessionLog.status` of a start.
const START: u64 = 1;

impl Event {
    /// Returns the event as a record: length, its checksum, message, its checksum.
    pub fn to_record(&self) -> Vec<u8> {
        let message = self.message();
        let message = message.as_bytes();
        let length = (message.len() as u64).to_le_bytes();
        let mut record = Vec::with_capacity(message.len() + 16);
        record.extend(length);
        record.extend(masked_crc(&length).to_le_bytes());
        record.extend(message);
        record.extend(masked_crc(message).to_le_bytes());
        record
    }

    fn message(&self) -> Message {
        let event = Message::default().double(1, self.wall_time).varint(2, self.step as u64);
        match &self.what {
            What::FileVersion => event.text(3, FILE_VERSION),
            What::Summary(values) => {
                let values: Vec<Message> = values.iter().map(Value::message).collect();
                event.part(5, &Message::default().parts(1, &values))
            }
            What::Restart => event.part(7, &Message::default().varint(1, START)),
        }
    }
}

impl Value {
    fn message(&self) -> Message {
        let value = Message::default().text(1, &self.tag);
        match &self.shown {
            Shown::Scalar(number) => value.float(2, *number),
            Shown::Image { height, width, png } => {
                let image = Message::default().varint(1, u64::from(*height)).varint(2, u64::from(*width));
                value.part(4, &image.varint(3, RGB).bytes(4, png))
            }
        }
    }
}

/// Computes CRC-32C as TensorFlow stores it, masked so that it remains effective for data that contains checksums.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, B.4: 32 bytes of zero have the checksum 0x8a9136aa. Masked with the formula of TensorFlow's
    /// `crc32c.h` in Python: `((c >> 15 | c << 17) + 0xa282ead8) & 0xffffffff`.
    #[test]
    fn checksums_are_tensorflows() {
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(masked_crc(&[0; 32]), 0x0fd7_fffa);
    }

    /// Bytes of `SerializeToString` of `tensorboard.compat.proto.event_pb2.Event` in `tensorboard` 2.21.0, except that
    /// it omits a `step` of 0.
    #[test]
    fn messages_are_protobufs() {
        let event = |step, what| Event { wall_time: 1.5, step, what }.message().as_bytes().to_vec();
        let start = b"\x09\0\0\0\0\0\0\xf8\x3f".as_slice();
        assert_eq!(event(0, What::FileVersion), [start, b"\x10\0", b"\x1a\x0dbrain.Event:2"].concat());
        let value = Value { tag: "a/b".into(), shown: Shown::Scalar(0.5) };
        let summary = b"\x2a\x0c\x0a\x0a\x0a\x03a/b\x15\0\0\0\x3f";
        assert_eq!(event(300, What::Summary(vec![value])), [start, b"\x10\xac\x02", summary].concat());
        assert_eq!(event(300, What::Restart), [start, b"\x10\xac\x02", b"\x3a\x02\x08\x01"].concat());
    }

    /// Parses a record like a reader.
    #[test]
    fn records_can_be_read_back() {
        let png = vec![7; 200];
        let value = Value { tag: "results".into(), shown: Shown::Image { height: 300, width: 2, png: png.clone() } };
        let event = Event { wall_time: 0.0, step: 1, what: What::Summary(vec![value]) };
        let record = event.to_record();
        let (head, rest) = record.split_at(12);
        let length = u64::from_le_bytes(head[..8].try_into().unwrap()) as usize;
        assert_eq!(head[8..], masked_crc(&head[..8]).to_le_bytes());
        let (message, crc) = rest.split_at(length);
        assert_eq!(crc, masked_crc(message).to_le_bytes());
        assert_eq!(message, event.message().as_bytes());
        assert!(message.ends_with(&png));
    }
}
