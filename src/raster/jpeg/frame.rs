//! The frame header of a JPEG: its size, its components, and their coding (ITU T.81, B.2.2).

use super::fault::{Fault, Result, damaged};

/// One component of a frame.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Component {
    pub id: u8,
    /// Sampling factors, horizontal and vertical.
    pub across: usize,
    pub down: usize,
    quantization: u8,
}

/// The size of an image and its components.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Frame {
    pub is_progressive: bool,
    pub height: usize,
    pub width: usize,
    pub components: Vec<Component>,
}

impl Frame {
    /// Reads a frame header, if this marker starts one.
    pub fn of_marker(marker: u8, segment: &[u8]) -> Result<Option<Self>> {
        match marker {
            0xc0..=0xc2 => Self::parse(marker, segment).map(Some),
            0xc3 | 0xc7 | 0xcb | 0xcf => Err(Fault::Unsupported("lossless JPEG".into())),
            0xc9 | 0xca | 0xcd | 0xce => Err(Fault::Unsupported("JPEG with arithmetic coding".into())),
            0xc5 | 0xc6 => Err(Fault::Unsupported("hierarchical JPEG".into())),
            _ => Ok(None),
        }
    }

    fn parse(marker: u8, segment: &[u8]) -> Result<Self> {
        let short = || Fault::Format("a frame header that ends early".into());
        let ([bits, y1, y0, x1, x0, count], rest) = segment.split_first_chunk::<6>().ok_or_else(short)?;
        let (height, width) = (u16::from_be_bytes([*y1, *y0]).into(), u16::from_be_bytes([*x1, *x0]).into());
        let components: Vec<_> = rest.as_chunks::<3>().0.iter().take(usize::from(*count)).map(component).collect();
        if *bits != 8 {
            return Err(Fault::Unsupported(format!("JPEG with {bits} bits a sample")));
        }
        if height == 0 || width == 0 || components.len() != usize::from(*count) || !(1..=4).contains(count) {
            return damaged(format!("{width} x {height} pixels of {count} components"));
        }
        let frame = Self { is_progressive: marker == 0xc2, height, width, components };
        frame.check_sampling()?;
        Ok(frame)
    }

    fn check_sampling(&self) -> Result<()> {
        let is_known = |c: &Component| (1..=4).contains(&c.across) && (1..=4).contains(&c.down) && c.quantization < 4;
        if !self.components.iter().all(is_known) {
            return damaged("sampling factors or table numbers beyond 4");
        }
        let (across, down) = self.sampling();
        match self.components.iter().find(|c| across % c.across != 0 || down % c.down != 0) {
            Some(c) => Err(Fault::Unsupported(format!("JPEG subsampled by {across}/{} x {down}/{}", c.across, c.down))),
            None => Ok(()),
        }
    }

    /// Returns the largest sampling factors.
    fn sampling(&self) -> (usize, usize) {
        let largest = |factor: fn(&Component) -> usize| self.components.iter().map(factor).max().unwrap_or(1);
        (largest(|c| c.across), largest(|c| c.down))
    }

    /// Returns how many units a scan of these components codes (T.81, A.2): blocks of one component, or groups of
    /// blocks of several.
    pub fn units(&self, scanned: &[usize]) -> usize {
        let (across, down) = self.sampling();
        let (columns, rows) = match *scanned {
            [only] => {
                let component = &self.components[only];
                ((self.width * component.across).div_ceil(across), (self.height * component.down).div_ceil(down))
            }
            _ => (self.width.div_ceil(across), self.height.div_ceil(down)),
        };
        columns.div_ceil(8) * rows.div_ceil(8)
    }

    /// Writes the segment again, without any extra bytes.
    pub fn segment(&self) -> Vec<u8> {
        let marker = if self.is_progressive { 0xc2 } else { 0xc0 };
        let length = 8 + 3 * self.components.len() as u16;
        let mut bytes = vec![0xff, marker];
        bytes.extend(length.to_be_bytes());
        bytes.push(8);
        bytes.extend((self.height as u16).to_be_bytes());
        bytes.extend((self.width as u16).to_be_bytes());
        bytes.push(self.components.len() as u8);
        for component in &self.components {
            bytes.extend([component.id, (component.across << 4 | component.down) as u8, component.quantization]);
        }
        bytes
    }
}

fn component([id, factors, table]: &[u8; 3]) -> Component {
    Component { id: *id, across: usize::from(factors >> 4), down: usize::from(factors & 15), quantization: *table }
}
