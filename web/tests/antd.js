/** The only part of antd that the course's page uses. */
import { createElement } from "react";

export const Input = (/** @type {import("react").InputHTMLAttributes<HTMLInputElement>} */ props) => createElement("input", props);
