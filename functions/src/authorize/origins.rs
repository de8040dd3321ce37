use chat_aws::Vars;

/// The origins whose pages may connect. CORS does not cover a WebSocket handshake: a browser makes it for every page,
/// and leaves it to the server to look at the origin (RFC 6455, section 10.2).
#[derive(Debug, Clone)]
pub enum Origins {
    Any,
    Listed(Vec<String>),
}

impl Origins {
    pub fn new(vars: &Vars) -> Self {
        match vars.optional("ALLOWED_ORIGINS") {
            None | Some("*") => Self::Any,
            Some(list) => Self::Listed(list.split(',').filter(|origin| !origin.is_empty()).map(String::from).collect()),
        }
    }

    /// Compares whole origins, as browsers write them. Who sends none is no page of a browser, and could send any; of
    /// several, each must be listed.
    pub fn allow(&self, origins: &[String]) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(listed) => origins.iter().all(|origin| listed.contains(origin)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(list: &str) -> Origins {
        Origins::new(&Vars::from_iter([("ALLOWED_ORIGINS", list)]))
    }

    #[test]
    fn an_origin_is_one_of_the_list_or_it_is_not() {
        let origins = origins("https://chat.example.com,http://localhost:5173,");
        for allowed in ["https://chat.example.com", "http://localhost:5173"] {
            assert!(origins.allow(&[allowed.into()]), "{allowed}");
        }
        assert!(origins.allow(&[]));
        for other in [
            "https://chat.example.com.evil.example",
            "https://evil.example?https://chat.example.com",
            "https://chat.example.co",
            "http://chat.example.com",
            "https://chat.example.com:8443",
            "https://chat.example.com,http://localhost:5173",
            "chat.example.com",
            "null",
            "*",
            "https://chat.example.comé",
            "",
        ] {
            assert!(!origins.allow(&[other.into()]), "{other}");
            let listed = || "https://chat.example.com".to_owned();
            assert!(!origins.allow(&[listed(), other.into()]) && !origins.allow(&[other.into(), listed()]), "{other}");
        }
    }

    #[test]
    fn without_a_list_any_page_may_come() {
        for origins in [origins("*"), Origins::new(&Vars::from_iter::<[(&str, &str); 0]>([]))] {
            assert!(origins.allow(&["https://anything.example".into()]) && origins.allow(&[]));
        }
    }
}
