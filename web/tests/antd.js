/** The one thing that the course's page takes from antd. */
import { createElement } from "react";

export const Input = (/** @type {import("react").InputHTMLAttributes<HTMLInputElement>} */ props) => createElement("input", props);
