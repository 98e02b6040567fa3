//! Messages in protobuf's wire format, for the few files that are made of them.

/// A message that grows: each method adds a field. A list that is not packed is the same field again and again.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Message(Vec<u8>);

impl Message {
    /// An integer or an enum; a negative number as its two's complement.
    pub fn varint(self, field: u32, value: u64) -> Self {
        self.key(field, 0).number(value)
    }

    #[cfg_attr(not(feature = "tensorboard"), allow(dead_code, reason = "only events hold doubles"))]
    pub fn double(mut self, field: u32, value: f64) -> Self {
        self = self.key(field, 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn float(mut self, field: u32, value: f32) -> Self {
        self = self.key(field, 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn bytes(mut self, field: u32, value: &[u8]) -> Self {
        self = self.opening(field, value.len() as u64);
        self.0.extend(value);
        self
    }

    pub fn text(self, field: u32, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    pub fn part(self, field: u32, part: &Self) -> Self {
        self.bytes(field, &part.0)
    }

    /// The same field once for each part.
    pub fn parts<'a>(self, field: u32, parts: impl IntoIterator<Item = &'a Self>) -> Self {
        parts.into_iter().fold(self, |message, part| message.part(field, part))
    }

    /// What goes before the bytes of a field that are written by themselves, because there are many of them.
    pub fn opening(self, field: u32, length: u64) -> Self {
        self.key(field, 2).number(length)
    }

    /// The fields of another one too.
    pub fn append(&mut self, other: &Self) {
        self.0.extend(&other.0);
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn key(self, field: u32, wire_type: u32) -> Self {
        self.number(u64::from(field << 3 | wire_type))
    }

    /// Seven bits to a byte, the lowest first; all bytes but the last have the top bit set.
    fn number(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of protobuf's own description of its encoding, and a field number that needs two bytes.
    #[test]
    fn bytes_are_protobufs() {
        assert_eq!(Message::default().varint(1, 150).as_bytes(), b"\x08\x96\x01");
        assert_eq!(Message::default().text(2, "testing").as_bytes(), b"\x12\x07testing");
        let inner = Message::default().varint(1, 150);
        assert_eq!(Message::default().part(3, &inner).as_bytes(), b"\x1a\x03\x08\x96\x01");
        assert_eq!(Message::default().parts(3, [&inner, &inner]).len(), 10);
        assert_eq!(Message::default().varint(20, 7).as_bytes(), b"\xa0\x01\x07");
        assert_eq!(
            Message::default().varint(1, -2i64 as u64).as_bytes(),
            b"\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"
        );
    }
}
